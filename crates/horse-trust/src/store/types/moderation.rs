//! Complaints, and texts that were edited away or deleted.

use std::sync::Arc;

use super::conversations::Conversation;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// A message that somebody complains of.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// Where the message is.
    pub conversation: Arc<Conversation>,
    /// Which it is.
    pub seq: i64,
    /// Who complains.
    pub reporter: Id,
    /// Of what.
    pub reason: String,
}

/// A complaint, with the message as it was.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its id.
    pub id: Id,
    /// Who complained.
    pub reporter: Id,
    /// Of what.
    pub reason: String,
    /// When.
    pub reported_at: Timestamp,
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// Who wrote it.
    pub sender: Id,
    /// Its place in the conversation.
    pub seq: i64,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it said.
    pub text: String,
}

/// A text that was edited away or deleted.
#[derive(Debug, Clone)]
pub struct Withdrawn {
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// Who wrote it.
    pub sender: Id,
    /// Its place in the conversation.
    pub seq: i64,
    /// When the text went.
    pub withdrawn_at: Timestamp,
    /// Whether the message was deleted, not edited.
    pub is_deleted: bool,
    /// What it said.
    pub text: String,
}
