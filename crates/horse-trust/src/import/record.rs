//! A record's fields as JSON, of which only those that are read have to be right.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::field_error::FieldError;
use crate::json::LossyString;

/// The fields of a record that have one of the names that are asked for, in the file's order.
pub(super) struct Record<'a> {
    fields: Vec<(&'static str, &'a RawValue)>,
    /// What stands before a field's name in an error.
    prefix: &'static str,
}

impl<'a> Record<'a> {
    /// Reads an object. Fields of other names are passed over, whatever they are.
    pub(super) fn parse(
        json: &'a [u8],
        names: &'static [&'static str],
        prefix: &'static str,
    ) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let fields = Fields(names).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(Self { fields, prefix })
    }

    pub(super) fn error(&self, name: &str, problem: &str) -> FieldError {
        FieldError::new(format!("{}{name}", self.prefix), problem)
    }

    /// A field's value; of those with the same name the last. `None` if it is missing or `null`.
    pub(super) fn value(&self, name: &str) -> Option<&'a RawValue> {
        self.even_null(name).filter(|value| value.get() != "null")
    }

    /// A field's value, also if that is `null`.
    pub(super) fn even_null(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Reads the fields of these names.
struct Fields(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Vec<(&'static str, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(&'static str, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        while let Some(LossyString(name)) = map.next_key()? {
            match self.0.iter().find(|known| **known == name) {
                Some(known) => {
                    let value = map.next_value()?;
                    // So that a record of one name over and over is not held more than once.
                    fields.retain(|(name, _)| name != known);
                    fields.push((known, value));
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(fields)
    }
}

/// The record with what is no JSON, though `mongoexport` up to 4.0 wrote it, as Extended JSON: `NaN`, `Infinity`,
/// `-Infinity` and `undefined`. A field that is read with such a value is still refused by its name.
pub(super) fn as_json(record: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(record.len() + 64);
    let mut rest = record;
    while let Some((first, behind)) = rest.split_first() {
        let length = match first {
            b'"' => text_length(behind) + 1,
            b'a'..=b'z' | b'A'..=b'Z' => {
                rest.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len())
            }
            _ => 1,
        };
        let (token, behind) = rest.split_at(length);
        match token {
            b"NaN" => json.extend_from_slice(br#"{"$numberDouble":"NaN"}"#),
            b"undefined" => json.extend_from_slice(br#"{"$undefined":true}"#),
            b"Infinity" => {
                let sign = json.pop_if(|last| matches!(last, b'-' | b'+'));
                let infinity: &[u8] = match sign {
                    Some(b'-') => br#"{"$numberDouble":"-Infinity"}"#,
                    _ => br#"{"$numberDouble":"Infinity"}"#,
                };
                json.extend_from_slice(infinity);
            }
            _ => json.extend_from_slice(token),
        }
        rest = behind;
    }
    json
}

/// How long the text is whose opening quote stands before `json`, with its closing quote.
fn text_length(json: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = json.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = !is_escaped && *byte == b'\\';
        is_end
    });
    end.map_or(json.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn parse(json: &str) -> Result<Vec<String>, String> {
        let record = Record::parse(json.as_bytes(), &["a", "b"], "");
        let record = record.map_err(|error| error.to_string())?;
        Ok(record.fields.iter().map(|(name, value)| format!("{name}={value}")).collect())
    }

    #[test]
    fn only_what_is_read_has_to_be_right() {
        assert_eq!(parse(r#"{"x":[{}],"a":1, "b" : "t","a":null}"#).unwrap(), ["b=\"t\"", "a=null"]);
        let deep = format!(r#"{{"x":{}{},"a":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&deep).unwrap(), ["a=1"]);
        assert_eq!(parse(r#"{"x":"\ud800","\udfff":1e999,"a":1}"#).unwrap(), ["a=1"]);
        let bytes = Record::parse(b"{\"x\":\"\xff\",\"a\":1}", &["a"], "").unwrap();
        assert_eq!(bytes.value("a").unwrap().get(), "1");
        for bad in ["{", "[]", "7", "{}{}", "{\"a\":}", "{\"x\":tru}", "{\"x\":NaN}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_older_versions_wrote_becomes_json() {
        for (written, json) in [
            ("{\"x\":NaN}", r#"{"x":{"$numberDouble":"NaN"}}"#),
            (
                "{\"x\" : [ -Infinity,+Infinity, Infinity ]}",
                r#"{"x" : [ {"$numberDouble":"-Infinity"},{"$numberDouble":"Infinity"}, {"$numberDouble":"Infinity"} ]}"#,
            ),
            ("{\"x\":undefined}", r#"{"x":{"$undefined":true}}"#),
            (r#"{"NaN":"a \"NaN","b":-1.5e7,"c":true}"#, r#"{"NaN":"a \"NaN","b":-1.5e7,"c":true}"#),
            ("{\"x\":NaNa}", "{\"x\":NaNa}"),
        ] {
            assert_eq!(String::from_utf8(as_json(written.as_bytes())).unwrap(), json);
        }
    }

    /// Any JSON value, with doubles that JSON can't write in the place of some numbers.
    fn value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(|number| json!(number)),
            Just(json!({"$numberDouble": "NaN"})),
            Just(json!({"$numberDouble": "-Infinity"})),
            Just(json!({"$undefined": true})),
        ];
        let leaf = prop_oneof![
            number,
            any::<bool>().prop_map(Value::from),
            "\\PC{0,8}|NaN|\"|-Infinity\\\\".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\\\]{0,3}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn bare_words_mean_what_their_extended_json_means(value in value()) {
            let json = value.to_string();
            prop_assert_eq!(as_json(json.as_bytes()), json.as_bytes().to_vec(), "JSON stays as it is");
            // In a text quotes are escaped, so these stand for values alone.
            let bare = json
                .replace(r#"{"$numberDouble":"NaN"}"#, "NaN")
                .replace(r#"{"$numberDouble":"-Infinity"}"#, "-Infinity")
                .replace(r#"{"$undefined":true}"#, "undefined");
            prop_assert_eq!(String::from_utf8(as_json(bare.as_bytes())).unwrap(), json);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Record::parse(&as_json(&bytes), &["a"], "");
        }
    }
}
