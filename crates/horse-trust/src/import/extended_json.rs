//! MongoDB's Extended JSON, relaxed and canonical: the types that the collections use.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::id::Id;
use crate::timestamp::Timestamp;

/// A field that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) field: String,
    pub(super) problem: String,
}

impl FieldError {
    pub(super) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// The fields of a record, each taken with its type. A missing field and `null` are the same.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    fields: &'a Map<String, Value>,
    /// What stands before a field's name in an error.
    prefix: &'a str,
}

impl<'a> Record<'a> {
    pub(super) fn new(value: &'a Value, prefix: &'a str) -> Result<Self, FieldError> {
        match value {
            Value::Object(fields) => Ok(Self { fields, prefix }),
            _ => Err(FieldError::new(prefix.trim_end_matches('.'), "not an object")),
        }
    }

    fn error(&self, name: &str, problem: &str) -> FieldError {
        FieldError::new(format!("{}{name}", self.prefix), problem)
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &self,
        name: &str,
        problem: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        self.value(name).map(|value| read(value).ok_or_else(|| self.error(name, problem))).transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, FieldError> {
        self.typed(name, "not a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn id(&self, name: &str) -> Result<Option<Id>, FieldError> {
        self.typed(name, "not an id", id)
    }

    pub(super) fn date(&self, name: &str) -> Result<Option<Timestamp>, FieldError> {
        self.typed(name, "not a date", date)
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, FieldError> {
        self.typed(name, "neither true nor false", Value::as_bool)
    }

    /// Makes a missing field an error.
    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, FieldError> {
        value.ok_or_else(|| self.error(name, "missing"))
    }
}

/// `{"$oid": "…"}` or a text.
pub(super) fn id(value: &Value) -> Option<Id> {
    let text = match value {
        Value::Object(_) => only(value, "$oid")?.as_str()?,
        _ => value.as_str()?,
    };
    Id::parse(text).ok()
}

/// `{"$date": "ISO 8601"}`, `{"$date": {"$numberLong": "ms"}}`, `{"$date": ms}`, or ISO 8601 as a text.
pub(super) fn date(value: &Value) -> Option<Timestamp> {
    let date = match value {
        Value::Object(_) => only(value, "$date")?,
        _ => return Timestamp::parse(value.as_str()?),
    };
    match date {
        Value::String(text) => Timestamp::parse(text),
        other => number(other).filter(|at| WRITABLE.contains(at)).map(Timestamp),
    }
}

/// The years 0 to 9999, which ISO 8601 can write.
const WRITABLE: RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// A whole number: plain, `$numberInt`, `$numberLong`, or a `$numberDouble` without a fraction.
pub(super) fn number(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "within the integers that a double holds exactly")]
    let whole = |double: f64| (double.fract() == 0.0 && double.abs() <= EXACT).then_some(double as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::Object(fields) if fields.len() == 1 => {
            let (kind, text) = fields.iter().next()?;
            match kind.as_str() {
                "$numberInt" | "$numberLong" => text.as_str()?.parse().ok(),
                "$numberDouble" => text.as_str()?.parse().ok().and_then(whole),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The value of an object's only field, if that has this name.
fn only<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    fields.get(name).filter(|_| fields.len() == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_and_dates_are_read_in_every_form() {
        let oid = "507f1f77bcf86cd799439011";
        assert_eq!(id(&json!({"$oid": oid})).unwrap().as_str(), oid);
        assert_eq!(id(&json!(oid)).unwrap().as_str(), oid);
        let at = Timestamp(1_705_314_600_123);
        for date_json in [
            json!({"$date": "2024-01-15T10:30:00.123Z"}),
            json!({"$date": {"$numberLong": "1705314600123"}}),
            json!({"$date": {"$numberDouble": "1705314600123.0"}}),
            json!({"$date": 1_705_314_600_123_i64}),
            json!("2024-01-15T10:30:00.123Z"),
        ] {
            assert_eq!(date(&date_json), Some(at), "{date_json}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            json!({"$oid": 7}),
            json!({"$oid": "a b"}),
            json!({"$oid": "a", "b": 1}),
            json!({}),
            json!(7),
            json!([]),
        ] {
            assert_eq!(id(&bad), None, "{bad}");
        }
        for bad in [
            json!({"$date": "soon"}),
            json!({"$date": {"$numberLong": "x"}}),
            json!({"$date": 1.5}),
            json!({"$date": {"$numberLong": "253402300800000"}}),
            json!(true),
            json!({"$date": {}}),
        ] {
            assert_eq!(date(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn relaxed_and_canonical_dates_agree(milliseconds in WRITABLE) {
            let relaxed = json!({"$date": Timestamp(milliseconds).to_string()});
            let canonical = json!({"$date": {"$numberLong": milliseconds.to_string()}});
            prop_assert_eq!(date(&relaxed), Some(Timestamp(milliseconds)));
            prop_assert_eq!(date(&canonical), Some(Timestamp(milliseconds)));
        }
    }
}
