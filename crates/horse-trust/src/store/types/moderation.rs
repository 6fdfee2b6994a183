//! Reports, and texts that were withdrawn: replaced by an edit, or deleted.

use std::sync::Arc;

use super::conversations::Conversation;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// A report of a message.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// The message's conversation.
    pub conversation: Arc<Conversation>,
    /// The message's sequence number.
    pub seq: i64,
    /// The user who reports it.
    pub reporter: Id,
    /// The reason, in the reporter's words.
    pub reason: String,
}

/// A stored report, with the message as it was.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its id.
    pub id: Id,
    /// The user who reported it.
    pub reporter: Id,
    /// The reason, in the reporter's words.
    pub reason: String,
    /// When it was reported.
    pub reported_at: Timestamp,
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// The message's sender.
    pub sender: Id,
    /// The message's sequence number.
    pub seq: i64,
    /// When the message was stored.
    pub sent_at: Timestamp,
    /// The text.
    pub text: String,
}

/// A text that was withdrawn: replaced by an edit, or deleted.
#[derive(Debug, Clone)]
pub struct Withdrawn {
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// The message's sender.
    pub sender: Id,
    /// The message's sequence number.
    pub seq: i64,
    /// When it was withdrawn.
    pub withdrawn_at: Timestamp,
    /// Whether the message was deleted, not edited.
    pub is_deleted: bool,
    /// The text.
    pub text: String,
}
