//! The lines of an export of a user. `docs/api/openapi.yaml` describes them, by hand, beside the route.

use serde::Serialize;

use super::audit::AuditEntry;
use super::message::Message;
use super::people::Profile;
use super::person::Person;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// A line of an export: an object with its `kind`.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExportLine<'a> {
    /// The account; the first line, unless the user has none here.
    User(ExportedUser<'a>),
    /// A user whom the user has blocked.
    Block(ExportedBlock<'a>),
    /// A conversation, with what the user has set for it; the lines of what they wrote there follow.
    Conversation(ExportedConversation<'a>),
    /// A message of the user's.
    Message(Message<'a>),
    /// What a message of the user's said before it was edited or deleted.
    WithdrawnText(ExportedText<'a>),
    /// A report that the user made.
    Report(ExportedReport<'a>),
    /// A message of the user's that was reported. By whom, and why, is not theirs to know.
    ReportedMessage(ExportedReportedMessage<'a>),
    /// What the platform or an admin changed of the user, or the user as an admin.
    Audit(AuditEntry<'a>),
}

/// An account.
#[derive(Debug, Serialize)]
pub struct ExportedUser<'a> {
    /// As `GET /api/admin/users/:id` has it.
    #[serde(flatten)]
    pub person: Person<'a>,
    /// When the last device disconnected; left out if that was never recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
}

/// A block.
#[derive(Debug, Serialize)]
pub struct ExportedBlock<'a> {
    /// Who is blocked.
    pub user_id: &'a Id,
    /// Since when.
    pub created_at: Timestamp,
}

/// A conversation as one of its participants has it.
#[derive(Debug, Serialize)]
pub struct ExportedConversation<'a> {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// The two participants.
    pub participants: [Profile<'a>; 2],
    /// The horse that it is about; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horse_id: Option<&'a Id>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the last message was stored.
    pub updated_at: Timestamp,
    /// The sequence number of its last message.
    pub last_seq: i64,
    /// Up to where the user has read.
    pub read_seq: i64,
    /// Up to where messages were delivered to the user.
    pub delivered_seq: i64,
    /// How many messages the user has not read.
    pub unread_count: u64,
    /// Whether the user has archived it; false is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
    /// Whether the user has muted it; false is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// Whether the user has pinned it; false is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
}

/// A text that was withdrawn.
#[derive(Debug, Serialize)]
pub struct ExportedText<'a> {
    /// The message.
    pub message_id: &'a Id,
    /// Its conversation.
    pub conversation_id: &'a Id,
    /// Its place in the conversation.
    pub seq: i64,
    /// What it said.
    pub text: &'a str,
    /// When the text went.
    pub withdrawn_at: Timestamp,
    /// Whether the message was `edited` or `deleted`.
    pub change: &'static str,
}

/// A report as the reporter knows it.
#[derive(Debug, Serialize)]
pub struct ExportedReport<'a> {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// The reason, in the user's words.
    pub reason: &'a str,
    /// When it was reported.
    pub reported_at: Timestamp,
    /// What became of it.
    pub state: &'static str,
    /// The message that is reported.
    pub message_id: &'a Id,
    /// Its conversation.
    pub conversation_id: &'a Id,
}

/// A message of the user's as a report keeps it.
#[derive(Debug, Serialize)]
pub struct ExportedReportedMessage<'a> {
    /// The message.
    pub message_id: &'a Id,
    /// Its conversation.
    pub conversation_id: &'a Id,
    /// Its place in the conversation.
    pub seq: i64,
    /// What it said.
    pub text: &'a str,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// When it was reported.
    pub reported_at: Timestamp,
    /// What became of the report.
    pub state: &'static str,
}
