//! Messages: sent, edited, deleted; and as everybody gets them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::arguments::{Fields, text_or_field};
use super::custom::Custom;
use super::people::Profile;
use super::refusal::Refusal;
#[cfg(test)]
use super::schema;
use super::text;
use crate::id::Id;
use crate::json::{self, LossyString};
use crate::timestamp::Timestamp;

/// The event of a message that was stored. Its argument is encoded once for all who get it.
pub const NEW_MESSAGE: &str = "new_message";
/// The `type` of what the platform itself says.
pub const SYSTEM: &str = "system";
/// The event of a message that was edited.
pub const MESSAGE_UPDATED: &str = "message_updated";

/// A message as a client gives it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Draft {
    /// 1 to 2000 characters, not white space alone, without U+0000.
    #[cfg_attr(test, schemars(with = "schema::Text"))]
    pub text: String,
    /// 1 to 64 characters that the client chooses, new for each message, the same when one is sent again: of each sender it
    /// names one message, which is stored once. A repeat (the same conversation and text) is acknowledged with that
    /// message; anything else is refused.
    #[cfg_attr(test, schemars(with = "Option<schema::ClientId>"))]
    pub client_id: Option<String>,
    /// The `_id` of a message of the same conversation, to which this one replies.
    #[cfg_attr(test, schemars(with = "Option<Id>"))]
    pub reply_to: Option<String>,
}

impl Draft {
    /// A draft of fields that are texts, by their names; those that are missing are empty.
    pub fn from_fields(mut field: impl FnMut(&'static str) -> Option<String>) -> Self {
        Self {
            text: field("text").unwrap_or_default(),
            client_id: field("client_id"),
            reply_to: field("reply_to"),
        }
    }

    /// What the text and the other fields may be.
    pub fn check(&self) -> Result<(), Refusal> {
        text::check(&self.text)?;
        let is_name =
            |id: &String| !id.is_empty() && id.chars().count() <= text::MAX_CLIENT_ID && !id.contains('\0');
        if self.client_id.as_ref().is_none_or(is_name) { Ok(()) } else { Err(Refusal::InvalidClientId) }
    }
}

/// The payload of `send_message`.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SendMessage {
    /// The conversation.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub conversation_id: String,
    /// The message; its text is empty if there was none.
    #[cfg_attr(test, schemars(flatten))]
    pub draft: Draft,
}

impl SendMessage {
    /// Takes the fields of an object; others than those of the contract are passed over.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow, default)]
            conversation_id: Option<&'a RawValue>,
            #[serde(borrow, default)]
            text: Option<&'a RawValue>,
            #[serde(borrow, default)]
            client_id: Option<&'a RawValue>,
            #[serde(borrow, default)]
            reply_to: Option<&'a RawValue>,
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
            draft: Draft {
                text: fields.text.map(text_of).transpose()?.unwrap_or_default(),
                client_id: fields.client_id.map(text_of).transpose()?,
                reply_to: fields.reply_to.map(text_of).transpose()?,
            },
        })
    }
}

/// A message that the platform sends over `/api/admin`.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PlatformMessage {
    /// The message; it replies to none.
    #[cfg_attr(test, schemars(flatten))]
    pub draft: Draft,
    /// The participant in whose name it is sent; the platform itself if left out.
    #[cfg_attr(test, schemars(with = "Option<Id>"))]
    pub sender_id: Option<String>,
    /// What the platform keeps with it.
    pub custom: Option<Custom>,
}

/// The payload of `edit_message`.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EditMessage {
    /// The message.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub message_id: String,
    /// As of `send_message`.
    #[cfg_attr(test, schemars(with = "schema::Text"))]
    pub text: String,
}

impl EditMessage {
    /// Takes the fields of an object; a text that is missing is empty.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        let fields = Fields::parse(arguments)?;
        let text = fields.text("text").map_err(|_| Refusal::InvalidMessage)?;
        Ok(Self { message_id: fields.required_text("message_id")?, text: text.unwrap_or_default() })
    }
}

/// A message, by its id or in an object.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = schema::or_bare))]
pub struct MessageName {
    /// The message.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub message_id: String,
}

impl MessageName {
    /// Takes the id alone, or an object with it.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        Ok(Self { message_id: text_or_field(arguments, "message_id")? })
    }
}

/// A message. The same in `new_message`, in acknowledgements and over HTTP.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(example = schema::message_example()))]
pub struct Message<'a> {
    /// Its id; the ids of messages sort by the time they were sent.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// Its conversation.
    pub conversation_id: &'a Id,
    /// `system` if the platform itself says it, left out otherwise.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::MessageType>"))]
    pub kind: Option<&'static str>,
    /// Who wrote it: the whole profile, whatever the name says. The platform has the id `system`.
    pub sender_id: Profile<'a>,
    /// 1 to 2000 characters; `""` once it is deleted.
    #[cfg_attr(test, schemars(length(max = text::MAX_TEXT_UNITS)))]
    pub text: &'a str,
    /// Whether the other has read it; of what the platform says, whether both have.
    pub is_read: bool,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// 1, 2, 3 … in the conversation, without holes.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub seq: i64,
    /// As the sender gave it; left out if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::ClientId>"))]
    pub client_id: Option<&'a str>,
    /// The message that it replies to; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Quote<'a>>,
    /// What the platform keeps with it; left out if there is nothing, and once it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<&'a Custom>,
    /// When it was last edited; left out until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted; left out until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// What a reply shows of the message that it replies to, as that message now is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quote<'a> {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// Its place in the conversation.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub seq: i64,
    /// Who wrote it: the id alone.
    pub sender_id: &'a Id,
    /// Its first 200 characters; `""` once it is deleted.
    #[cfg_attr(test, schemars(length(max = text::QUOTE_UNITS)))]
    pub text: &'a str,
}

/// A message as JSON, encoded once: the same bytes in `new_message`, in the acknowledgement and over HTTP.
pub type MessageJson = Arc<str>;

impl Message<'_> {
    /// The message as JSON.
    pub fn to_json(&self) -> MessageJson {
        json::encode(self).into()
    }
}

/// The newest message of a conversation, in a list.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastMessage<'a> {
    /// `system` if the platform itself says it, left out otherwise.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::MessageType>"))]
    pub kind: Option<&'static str>,
    /// Its text.
    #[cfg_attr(test, schemars(length(max = text::MAX_TEXT_UNITS)))]
    pub text: &'a str,
    /// Who wrote it: the id alone.
    pub sender_id: &'a Id,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// Whether the other has read it.
    pub is_read: bool,
}

/// The argument of `message_notification`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MessageNotification<'a> {
    /// The conversation.
    pub conversation_id: &'a Id,
    /// Who wrote.
    pub sender: &'a Id,
    /// The first 60 characters of the text.
    #[cfg_attr(test, schemars(length(min = 1, max = text::PREVIEW_UNITS)))]
    pub preview: &'a str,
}

/// The argument of `message_deleted`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MessageDeleted<'a> {
    /// The message.
    pub message_id: &'a Id,
    /// Its conversation.
    pub conversation_id: &'a Id,
    /// Its place in the conversation, which stays.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub seq: i64,
    /// When it was deleted.
    pub deleted_at: Timestamp,
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
        let message = |text: &str| {
            let draft = Draft { text: text.into(), ..Draft::default() };
            Ok(SendMessage { conversation_id: "c".into(), draft })
        };
        let named = parse(r#"{"conversation_id":"c","text":"hi","client_id":"1"}"#).unwrap();
        assert_eq!(named.draft, Draft { text: "hi".into(), client_id: Some("1".into()), ..Draft::default() });
        assert_eq!(parse(r#"{"conversation_id":"c","text":"hi","client_id":null}"#), message("hi"));
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
            r#"{"conversation_id":"c","text":"hi","client_id":1}"#,
            r#"{"conversation_id":"c","text":"hi","reply_to":{"_id":"m"}}"#,
            r#"{"conversation_id":"c","text":["hi"]}"#,
            r#"{"conversation_id":"c","text":{"a":1}}"#,
        ] {
            assert_eq!(parse(json), Err(Refusal::InvalidMessage), "{json}");
        }
        assert_eq!(SendMessage::parse(&[]), Err(Refusal::InvalidMessage));
    }
}
