//! The shapes of what clients send.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::Refusal;
use crate::json::LossyString;

/// The payload of `send_message`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SendMessage {
    pub(super) conversation_id: String,
    /// Empty if there was none.
    pub(super) text: String,
}

impl SendMessage {
    /// Takes `{conversation_id, text}`; other fields are passed over.
    pub(super) fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow, default)]
            conversation_id: Option<&'a RawValue>,
            #[serde(borrow, default)]
            text: Option<&'a RawValue>,
        }
        let json = arguments.first().map_or("", |argument| argument.get());
        // A struct would also be read from an array.
        if !json.starts_with('{') {
            return Err(Refusal::InvalidMessage);
        }
        let fields: Fields<'_> = serde_json::from_str(json).map_err(|_| Refusal::InvalidMessage)?;
        let text_of = |value: &RawValue| LossyString::parse(value.get()).ok_or(Refusal::InvalidMessage);
        Ok(Self {
            conversation_id: text_of(fields.conversation_id.ok_or(Refusal::InvalidMessage)?)?,
            text: fields.text.map(text_of).transpose()?.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<SendMessage, Refusal> {
        let value: Box<RawValue> = serde_json::from_str(json).unwrap();
        SendMessage::parse(&[&value])
    }

    #[test]
    fn the_contracts_shape_is_taken() {
        let message = |text: &str| Ok(SendMessage { conversation_id: "c".into(), text: text.into() });
        assert_eq!(parse(r#"{"conversation_id":"c","text":"hi"}"#), message("hi"));
        assert_eq!(parse(r#"{"conversation_id":"c","text":"\ud800","more":[{}]}"#), message("\u{fffd}"));
        assert_eq!(parse(r#"{"conversation_id":"c","text":null}"#), message(""));
        assert_eq!(parse(r#"{"conversation_id":"c"}"#), message(""));
    }

    #[test]
    fn other_shapes_are_refused() {
        for json in [
            "null",
            "1",
            r#""text""#,
            "[]",
            r#"["c","hi"]"#,
            "{}",
            r#"{"text":"hi"}"#,
            r#"{"conversation_id":{"$ne":null},"text":"hi"}"#,
            r#"{"conversation_id":["c"],"text":"hi"}"#,
            r#"{"conversation_id":"c","text":1}"#,
            r#"{"conversation_id":"c","text":["hi"]}"#,
            r#"{"conversation_id":"c","text":{"a":1}}"#,
        ] {
            assert_eq!(parse(json), Err(Refusal::InvalidMessage), "{json}");
        }
        assert_eq!(SendMessage::parse(&[]), Err(Refusal::InvalidMessage));
    }
}
