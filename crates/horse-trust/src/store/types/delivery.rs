//! Delivery: what users have read, missed and received.

use std::sync::Arc;

use super::conversations::Conversation;
use crate::id::Id;

/// How many messages a user has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// In one conversation.
    pub conversation: u64,
    /// In all conversations.
    pub total: u64,
}

/// A user's position and what it consists of, at one moment.
#[derive(Debug, Clone)]
pub struct UserPosition {
    /// The user.
    pub user: Id,
    /// The number of messages in all conversations of the user, deleted ones included; what [`Stored::positions`]
    /// counts.
    ///
    /// [`Stored::positions`]: super::messages::Stored::positions
    pub position: i64,
    /// Each conversation that has messages, with the sequence number of its last one.
    pub conversations: Vec<(Arc<Conversation>, i64)>,
}

/// A part of a conversation to mark as read.
#[derive(Debug, Clone)]
pub struct MarkRead {
    /// The conversation.
    pub conversation: Arc<Conversation>,
    /// The participant who has read.
    pub reader: Id,
    /// The sequence number of the last message that was read; all messages if `None`.
    pub up_to: Option<i64>,
}

/// How far a user has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The sequence number up to which messages are read; it never goes back.
    pub up_to_seq: i64,
    /// How many unread messages became read.
    pub newly_read: u64,
    /// How many are left unread.
    pub unread: Unread,
}

/// The messages that a user missed.
#[derive(Debug, Clone, Default)]
pub struct Missed {
    /// The messages in the order of their ids, without deleted ones; empty if there are too many.
    pub messages: Vec<MissedMessage>,
    /// Whether there are more than the limit.
    pub is_too_much: bool,
    /// The conversations with missed messages, each with the sequence number of its last message.
    pub changed: Vec<(Id, i64)>,
    /// Every conversation of the user that has messages, by the store's key, with the sequence number of its last message
    /// at that moment.
    pub last_seqs: Vec<(i64, i64)>,
}

/// A message that a user missed. Its text is read later ([`MessageStore::messages_at`]): texts of many are large.
///
/// [`MessageStore::messages_at`]: crate::store::MessageStore::messages_at
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedMessage {
    /// Its id.
    pub id: Id,
    /// Its conversation.
    pub conversation: Arc<Conversation>,
    /// Its sequence number there.
    pub seq: i64,
}

/// How far the messages of a conversation were delivered to a device of one participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The store's key of the conversation.
    pub conversation: i64,
    /// The index of the recipient in its participants.
    pub side: usize,
    /// The sequence number of the last delivered message.
    pub seq: i64,
}
