//! MongoDB's Extended JSON, relaxed, canonical and as older versions wrote it: the types that the collections use.

use std::ops::RangeInclusive;

use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::field_error::FieldError;
use super::record::Record;
use crate::contract::Custom;
use crate::id::Id;
use crate::json::LossyString;
use crate::timestamp::Timestamp;

/// The longest value that is looked into, other than a text: none that is right has so many bytes.
const MAX_VALUE: usize = 64 * 1024;

/// The fields of a record, each taken with its type. A missing field and `null` are the same.
impl<'a> Record<'a> {
    fn typed<T>(
        &self,
        name: &str,
        problem: &str,
        read: impl FnOnce(&'a RawValue) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        self.value(name).map(|value| read(value).ok_or_else(|| self.error(name, problem))).transpose()
    }

    /// A text; in place of a lone surrogate it has U+FFFD.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, FieldError> {
        self.typed(name, "not a text", |value| LossyString::parse(value.get()))
    }

    pub(super) fn id(&self, name: &str) -> Result<Option<Id>, FieldError> {
        self.typed(name, "not an id", |value| id(&parsed(value)?))
    }

    pub(super) fn ids(&self, name: &str) -> Result<Option<Vec<Id>>, FieldError> {
        self.typed(name, "not two ids", |value| parsed(value)?.as_array()?.iter().map(id).collect())
    }

    pub(super) fn date(&self, name: &str) -> Result<Option<Timestamp>, FieldError> {
        self.typed(name, "not a date", |value| date(&parsed(value)?))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, FieldError> {
        self.typed(name, "neither true nor false", |value| flag(&parsed(value)?))
    }

    /// An object of the platform's; types that JSON does not have become what JavaScript writes for them.
    pub(super) fn custom(&self, name: &str) -> Result<Option<Custom>, FieldError> {
        self.typed(name, "not an object of at most 2048 bytes as JSON", |value| {
            let json = value.get();
            if !json.contains("\"$") {
                return Custom::parse(json).ok();
            }
            Custom::parse(&plain(parsed(value)?).to_string()).ok()
        })
    }

    /// Makes a missing field an error.
    pub(super) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, FieldError> {
        value.ok_or_else(|| self.error(name, "missing"))
    }
}

fn parsed(value: &RawValue) -> Option<Value> {
    let text = value.get();
    if text.len() > MAX_VALUE { None } else { serde_json::from_str(text).ok() }
}

/// The value as `JSON.stringify` writes it, if it is of a type that JSON does not have: ids and dates as texts, numbers as
/// numbers. What no double holds stays a text.
fn plain(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(fields) => {
            let typed = (fields.len() == 1).then(|| fields.iter().next()).flatten();
            let plain_value = typed.and_then(|(kind, value)| match (kind.as_str(), value) {
                ("$oid", Value::String(id)) => Some(Value::from(id.as_str())),
                ("$date", _) => {
                    date(&Value::Object(fields.clone())).map(|date| Value::from(date.to_string()))
                }
                ("$numberInt" | "$numberLong" | "$numberDouble" | "$numberDecimal", Value::String(text)) => {
                    let number = serde_json::from_str::<Number>(text).ok().map(Value::from);
                    Some(number.unwrap_or_else(|| Value::from(text.as_str())))
                }
                _ => None,
            });
            plain_value.unwrap_or_else(|| {
                Value::Object(fields.into_iter().map(|(name, value)| (name, plain(value))).collect())
            })
        }
        other => other,
    }
}

/// `{"$oid": "…"}` or a text.
fn id(value: &Value) -> Option<Id> {
    let text = match value {
        Value::Object(_) => only(value, "$oid")?.as_str()?,
        _ => value.as_str()?,
    };
    Id::parse(text).ok()
}

/// `{"$date": "ISO 8601"}`, `{"$date": {"$numberLong": "ms"}}`, `{"$date": ms}`, or ISO 8601 as a text.
fn date(value: &Value) -> Option<Timestamp> {
    let date = match value {
        Value::Object(_) => only(value, "$date")?,
        Value::String(_) => value,
        _ => return None,
    };
    let at = match date {
        Value::String(text) => Timestamp::parse(text)?,
        other => Timestamp(number(other)?),
    };
    WRITABLE.contains(&at.0).then_some(at)
}

/// The years 0 to 9999, which ISO 8601 can write.
const WRITABLE: RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// What Mongoose casts to a boolean when it reads a record, so that a flag means here what it meant to the application.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => match number(value)? {
            1 => Some(true),
            0 => Some(false),
            _ => None,
        },
    }
}

/// A whole number: plain, `$numberInt`, `$numberLong`, or a `$numberDouble` without a fraction.
fn number(value: &Value) -> Option<i64> {
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
            json!({"$date": "2024-01-15T10:30:00.123+0000"}),
            json!({"$date": "2024-01-15T07:30:00.123-0300"}),
            json!({"$date": {"$numberLong": "1705314600123"}}),
            json!({"$date": {"$numberDouble": "1705314600123.0"}}),
            json!({"$date": 1_705_314_600_123_i64}),
            json!({"$date": 1_705_314_600_123.0}),
            json!("2024-01-15T10:30:00.123Z"),
        ] {
            assert_eq!(date(&date_json), Some(at), "{date_json}");
        }
        assert_eq!(date(&json!({"$date": {"$numberLong": "-1"}})), Some(Timestamp(-1)));
    }

    #[test]
    fn types_that_json_does_not_have_become_plain() {
        let exported = json!({
            "offer": {"$oid": "507f1f77bcf86cd799439011"}, "until": {"$date": {"$numberLong": "1705314600123"}},
            "prices": [{"$numberInt": "5"}, {"$numberDouble": "4.5"}, {"$numberDouble": "NaN"}, 7],
            "nested": {"$note": "x", "count": {"$numberLong": "9"}}
        });
        assert_eq!(
            plain(exported),
            json!({
                "offer": "507f1f77bcf86cd799439011", "until": "2024-01-15T10:30:00.123Z",
                "prices": [5, 4.5, "NaN", 7], "nested": {"$note": "x", "count": 9}
            })
        );
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
            json!({"$date": "2024-02-30T00:00:00Z"}),
            json!({"$date": {"$numberLong": "x"}}),
            json!({"$date": {"$numberDouble": "NaN"}}),
            json!({"$date": 1.5}),
            json!({"$date": {"$numberLong": "253402300800000"}}),
            json!({"$date": "0000-01-01T00:00:00+01:00"}),
            json!({"$date": null}),
            json!({"$timestamp": {"t": 1, "i": 1}}),
            json!(1_705_314_600_123_i64),
            json!(true),
            json!({"$date": {}}),
        ] {
            assert_eq!(date(&bad), None, "{bad}");
        }
    }

    #[test]
    fn flags_mean_what_mongoose_makes_of_them() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!(1), Some(true)),
            (json!({"$numberInt": "1"}), Some(true)),
            (json!("yes"), Some(true)),
            (json!(false), Some(false)),
            (json!(0.0), Some(false)),
            (json!({"$numberLong": "0"}), Some(false)),
            (json!("false"), Some(false)),
            (json!("0"), Some(false)),
            (json!("no"), Some(false)),
            (json!(2), None),
            (json!("False"), None),
            (json!(""), None),
            (json!([]), None),
            (json!({"$numberDouble": "NaN"}), None),
        ] {
            assert_eq!(flag(&value), expected, "{value}");
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

        #[test]
        fn whole_numbers_are_read_however_they_are_written(number in any::<i64>()) {
            let read = super::number;
            prop_assert_eq!(read(&json!(number)), Some(number));
            prop_assert_eq!(read(&json!({"$numberLong": number.to_string()})), Some(number));
            let whole = number >> 11;
            #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
            let double = whole as f64;
            prop_assert_eq!(read(&json!(double)), Some(whole));
            prop_assert_eq!(read(&json!({"$numberDouble": format!("{double:e}")})), Some(whole));
            prop_assert_eq!(read(&json!(double / 2.0)), (whole % 2 == 0).then_some(whole / 2));
        }
    }
}
