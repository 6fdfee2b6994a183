//! The arguments of a client's event, read field by field.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::refusal::Refusal;
use crate::json::{self, LossyString};

/// The fields of a payload that is an object; others than those that are asked for are passed over.
pub(super) struct Fields<'a>(HashMap<LossyString, &'a RawValue>);

impl<'a> Fields<'a> {
    pub(super) fn parse(arguments: &[&'a RawValue]) -> Result<Self, Refusal> {
        let json = arguments.first().map_or("", |argument| argument.get());
        let fields = serde_json::from_str::<json::Fields<_>>(json);
        fields.map(|fields| Self(fields.0)).map_err(|_| Refusal::InvalidRequest)
    }

    /// As [`Fields::parse`]; a bare text stands for an object with the one field `name`.
    pub(super) fn parse_or_bare(arguments: &[&'a RawValue], name: &str) -> Result<Self, Refusal> {
        match arguments {
            [bare, ..] if bare.get().starts_with('"') => {
                Ok(Self(HashMap::from([(LossyString(name.to_owned()), *bare)])))
            }
            _ => Self::parse(arguments),
        }
    }

    /// A text; `None` if it is missing or null.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(value) = self.present(name) else { return Ok(None) };
        LossyString::parse(value).map(Some).ok_or(Refusal::InvalidRequest)
    }

    /// A text that has to be there.
    pub(super) fn required_text(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or(Refusal::InvalidRequest)
    }

    /// A whole number that is not negative; `None` if it is missing or null.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.present(name) else { return Ok(None) };
        json::whole_number(value).map(Some).ok_or(Refusal::InvalidRequest)
    }

    /// True or false; `None` if it is missing or null.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.present(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Refusal::InvalidRequest),
        }
    }

    fn present(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|value| value.get()).filter(|value| *value != "null")
    }
}

/// A text that is the argument itself, or the field `name` of an object.
pub(super) fn text_or_field(arguments: &[&RawValue], name: &str) -> Result<String, Refusal> {
    Fields::parse_or_bare(arguments, name)?.required_text(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_by_name_and_kind() {
        let value: Box<RawValue> =
            serde_json::from_str(r#"{"a":"x","b":7.0e0,"c":null,"d":-1,"e":1.5,"f":{"a":1},"g":true}"#)
                .unwrap();
        let arguments: &[&RawValue] = &[&value];
        let fields = Fields::parse(arguments).unwrap();
        assert_eq!(fields.text("a"), Ok(Some("x".to_owned())));
        assert_eq!(fields.number("b"), Ok(Some(7)));
        assert_eq!((fields.text("c"), fields.number("none")), (Ok(None), Ok(None)));
        assert_eq!(
            (fields.flag("g"), fields.flag("c"), fields.flag("none")),
            (Ok(Some(true)), Ok(None), Ok(None))
        );
        for name in ["a", "b", "f"] {
            assert_eq!(fields.flag(name), Err(Refusal::InvalidRequest), "{name}");
        }
        for name in ["a", "d", "e", "f"] {
            assert_eq!(fields.number(name), Err(Refusal::InvalidRequest), "{name}");
        }
        assert_eq!(fields.text("b"), Err(Refusal::InvalidRequest));
        assert_eq!(fields.required_text("c"), Err(Refusal::InvalidRequest));
        assert_eq!(text_or_field(arguments, "a"), Ok("x".to_owned()));
        let bare: Box<RawValue> = serde_json::from_str(r#""y""#).unwrap();
        assert_eq!(text_or_field(&[&bare], "a"), Ok("y".to_owned()));
        for json in ["null", "7", "[]", r#"["x"]"#] {
            let value: Box<RawValue> = serde_json::from_str(json).unwrap();
            assert_eq!(text_or_field(&[&value], "a"), Err(Refusal::InvalidRequest), "{json}");
        }
        assert_eq!(text_or_field(&[], "a"), Err(Refusal::InvalidRequest));
    }
}
