//! Conversations, as a list shows them to one of the two; and who types there.

use serde::Serialize;
use serde_json::value::RawValue;

use super::arguments::{Fields, text_or_field};
use super::message::LastMessage;
use super::people::Profile;
use super::refusal::Refusal;
#[cfg(test)]
use super::schema;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// The event of a conversation that has changed.
pub const CONVERSATION_UPDATED: &str = "conversation_updated";

/// A conversation, by its id or in an object.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = schema::or_bare))]
pub struct ConversationName {
    /// The conversation.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub conversation_id: String,
}

impl ConversationName {
    /// Takes the id alone, or an object with it. Anything else is no conversation.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        let conversation_id = text_or_field(arguments, "conversation_id");
        Ok(Self { conversation_id: conversation_id.map_err(|_| Refusal::ConversationNotFound)? })
    }
}

/// The payload of `update_conversation`: what the user sets for a conversation, for all devices. What is left out stays as
/// it is.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UpdateConversation {
    /// The conversation.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub conversation_id: String,
    /// Whether it is left out of the list. The next message, by whichever of the two, brings it back.
    pub archived: Option<bool>,
    /// Whether its messages are to attract no attention.
    pub muted: Option<bool>,
    /// Whether it is to be shown before the others.
    pub pinned: Option<bool>,
}

impl UpdateConversation {
    /// Takes the fields of an object, or the conversation's id alone, with which nothing changes.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        let fields = Fields::parse_or_bare(arguments, "conversation_id")?;
        Ok(Self {
            conversation_id: fields.required_text("conversation_id")?,
            archived: fields.flag("archived")?,
            muted: fields.flag("muted")?,
            pinned: fields.flag("pinned")?,
        })
    }
}

/// What is known of one of the two of a conversation.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ParticipantState<'a> {
    /// The user.
    pub user_id: &'a Id,
    /// Whether a device of theirs is connected, or was 5 seconds ago. Of the other: false while a block stands.
    pub online: bool,
    /// When the last device went; null while online, or if never seen. Of the other: null while a block stands.
    pub last_seen: Option<Timestamp>,
    /// The `seq` up to which they have read what the other wrote; 0 if nothing.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub read_seq: i64,
    /// The `seq` up to which a device of theirs was handed the messages; 0 if nothing.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub delivered_seq: i64,
}

/// A conversation, as `GET /api/chat/conversations` lists it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(clippy::struct_excessive_bools, reason = "clients know each by its name")]
pub struct Conversation<'a> {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// The two.
    pub participants: [Profile<'a>; 2],
    /// Of each of the `participants`, in their order.
    pub participant_states: [ParticipantState<'a>; 2],
    /// The horse it is about; left out if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horse_id: Option<&'a Id>,
    /// What the platform shows of the horse; left out if it shows nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<super::Listing>"))]
    pub listing: Option<&'a RawValue>,
    /// Null while nothing was written.
    pub last_message: Option<LastMessage<'a>>,
    /// How many messages to the user are not read, 0 or more.
    #[cfg_attr(test, schemars(with = "schema::Count"))]
    pub unread_count: u64,
    /// The `seq` of the newest message; 0 while nothing was written.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub last_seq: i64,
    /// Comes if the user has archived it: the list leaves it out unless it is asked for. A message after that ends it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<schema::Yes>"))]
    pub archived: bool,
    /// Comes if the user has muted it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<schema::Yes>"))]
    pub muted: bool,
    /// Comes if the user has pinned it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(test, schemars(with = "Option<schema::Yes>"))]
    pub pinned: bool,
    /// Whether the user has blocked the other.
    pub blocked_by_me: bool,
    /// Whether the other has blocked the user.
    pub blocked_by_other: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the newest message was sent; `created_at` while nothing was written.
    pub updated_at: Timestamp,
}

/// The argument of `user_typing` and `user_stop_typing`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserTyping<'a> {
    /// Who types, or no longer does.
    #[serde(rename = "userId")]
    pub user_id: &'a Id,
    /// Where.
    pub conversation_id: &'a Id,
}
