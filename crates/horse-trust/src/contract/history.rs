//! Reading: parts of a history, and how far somebody has read or was reached.

use serde::Serialize;
use serde_json::value::RawValue;

use super::arguments::Fields;
use super::message::MessageJson;
use super::refusal::Refusal;
#[cfg(test)]
use super::schema;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// The payload of `fetch_messages`: the part behind `after_seq`, or the one before `before_seq`, or the newest.
#[derive(Debug)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(extend("not" = {"required": ["after_seq", "before_seq"]}))
)]
pub struct FetchMessages {
    /// The conversation.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub conversation_id: String,
    /// The messages after this `seq` (0: from the beginning).
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub after_seq: Option<i64>,
    /// The last messages before this `seq`, 1 or more.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub before_seq: Option<i64>,
    /// Messages at most, 1 or more; 30 if left out. More than 100 counts as 100.
    #[cfg_attr(test, schemars(range(min = 1), extend("default" = 30)))]
    pub limit: Option<i64>,
}

impl FetchMessages {
    /// Takes the fields of an object, or the conversation's id alone.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        let fields = Fields::parse_or_bare(arguments, "conversation_id")?;
        let part = Self {
            conversation_id: fields.required_text("conversation_id")?,
            after_seq: fields.number("after_seq")?,
            before_seq: fields.number("before_seq")?,
            limit: fields.number("limit")?,
        };
        let is_ambiguous = part.after_seq.is_some() && part.before_seq.is_some();
        if is_ambiguous || part.limit == Some(0) { Err(Refusal::InvalidRequest) } else { Ok(part) }
    }
}

/// The acknowledgement of `fetch_messages`, as JSON.
pub fn fetched(messages: &[MessageJson], has_more: bool) -> String {
    format!(r#"{{"success":true,"data":[{}],"has_more":{has_more}}}"#, messages.join(","))
}

/// The payload of `mark_read`.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MarkRead {
    /// The conversation.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub conversation_id: String,
    /// The `seq` up to which the user has read; all if left out.
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub up_to_seq: Option<i64>,
}

impl MarkRead {
    /// Takes the fields of an object, or the conversation's id alone.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        let fields = Fields::parse_or_bare(arguments, "conversation_id")?;
        let conversation_id = fields.required_text("conversation_id")?;
        Ok(Self { conversation_id, up_to_seq: fields.number("up_to_seq")? })
    }
}

/// What is read now, and what is not.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Marked {
    /// The `seq` up to which the user has now read; 0 if nothing.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub up_to_seq: i64,
    /// Unread messages in all conversations.
    #[cfg_attr(test, schemars(with = "schema::Count"))]
    pub unread_count: u64,
    /// Unread messages in this conversation.
    #[cfg_attr(test, schemars(with = "schema::Count"))]
    pub conversation_unread_count: u64,
}

/// The argument of `messages_read`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MessagesRead<'a> {
    /// The conversation.
    pub conversation_id: &'a Id,
    /// Who has read.
    pub reader: &'a Id,
    /// What the other wrote up to this `seq` is read.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub up_to_seq: i64,
    /// When.
    pub read_at: Timestamp,
}

/// The argument of `message_delivered`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MessageDelivered<'a> {
    /// The conversation.
    pub conversation_id: &'a Id,
    /// Whose device has the messages.
    pub recipient: &'a Id,
    /// What was written to the recipient up to this `seq` is there.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub up_to_seq: i64,
    /// When.
    pub delivered_at: Timestamp,
}

/// The argument of `unread_count`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnreadCount<'a> {
    /// Unread messages in all conversations.
    #[cfg_attr(test, schemars(with = "schema::Count"))]
    pub unread_count: u64,
    /// The conversation in which it changed.
    pub conversation_id: &'a Id,
    /// Unread messages in this conversation.
    #[cfg_attr(test, schemars(with = "schema::Count"))]
    pub conversation_unread_count: u64,
}

/// The argument of `resync`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resync<'a> {
    /// Where messages came that the client has not, up to the newest `seq` of each.
    pub conversations: Vec<ResyncConversation<'a>>,
}

/// A conversation in which the client missed something.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ResyncConversation<'a> {
    /// The conversation.
    pub conversation_id: &'a Id,
    /// The `seq` of its newest message.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub last_seq: i64,
}
