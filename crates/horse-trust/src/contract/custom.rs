//! What the platform keeps with an object of the chat, for its own use.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The greatest length of the object as JSON without white space, in bytes.
const MAX_BYTES: usize = 2048;

/// A JSON object of at most 2048 bytes. Nothing here looks into it: it comes back as it was given, but for white space.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Custom(Box<RawValue>);

/// It is not a JSON object, or a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object of at most 2048 bytes as JSON is needed")]
pub struct InvalidCustom;

impl Custom {
    /// Takes an object. One that not every client can read is invalid: with a lone surrogate, a number that no double holds,
    /// or more than 127 levels.
    pub fn parse(json: &str) -> Result<Self, InvalidCustom> {
        let value: Value = serde_json::from_str(json).map_err(|_| InvalidCustom)?;
        let compact = without_white_space(json);
        if !value.is_object() || compact.len() > MAX_BYTES {
            return Err(InvalidCustom);
        }
        RawValue::from_string(compact).map(Self).map_err(|_| InvalidCustom)
    }

    /// Its JSON.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Custom {}

/// JSON without the white space between its tokens.
fn without_white_space(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    let is_kept = |character: &char| {
        if is_text {
            is_text = is_escaped || *character != '"';
            is_escaped = !is_escaped && *character == '\\';
            return true;
        }
        is_text = *character == '"';
        !character.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_comes_back_as_it_was_given() {
        for (given, kept) in [
            (r"{}", r"{}"),
            ("{ \"b\" : [ 1.0, 1e2 ],\n\t\"a\" : \" \\\" \\\\\" }", r#"{"b":[1.0,1e2],"a":" \" \\"}"#),
            (
                r#"{"big":12345678901234567890123,"a":"\u0000"}"#,
                r#"{"big":12345678901234567890123,"a":"\u0000"}"#,
            ),
        ] {
            assert_eq!(Custom::parse(given).unwrap().as_str(), kept);
        }
        let longest = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES - 8));
        assert_eq!(Custom::parse(&longest.replace(':', " : ")).unwrap().as_str(), longest);
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_BYTES - 7));
        let many_bytes = format!(r#"{{"a":"{}"}}"#, "é".repeat(MAX_BYTES / 2 - 3));
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for bad in [
            "",
            "null",
            "7",
            "[]",
            r#""{}""#,
            "{",
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e999}"#,
            &long,
            &many_bytes,
            &deep,
        ] {
            assert_eq!(Custom::parse(bad), Err(InvalidCustom), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn white_space_is_no_part_of_it(pairs in prop::collection::btree_map(".{0,9}", ".{0,9}", 0..9)) {
            let compact = serde_json::to_string(&pairs).unwrap();
            let spaced = serde_json::to_string_pretty(&pairs).unwrap();
            let custom = Custom::parse(&spaced).unwrap();
            prop_assert_eq!(custom.as_str(), compact);
        }
    }
}
