//! How far users are: what they read, missed and received.

use std::sync::Arc;

use super::conversations::Conversation;
use crate::id::Id;

/// How much a user has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// In one conversation.
    pub conversation: u64,
    /// In all.
    pub total: u64,
}

/// How far the conversations of a user go, at one moment.
#[derive(Debug, Clone)]
pub struct Ends {
    /// The user.
    pub user: Id,
    /// How many messages there are in all of them, also counted by [`Stored::positions`].
    pub position: i64,
    /// Each with its last message, those without any left out.
    pub conversations: Vec<(Arc<Conversation>, i64)>,
}

/// A part of a conversation to be marked as read.
#[derive(Debug, Clone)]
pub struct MarkRead {
    /// The conversation.
    pub conversation: Arc<Conversation>,
    /// Who has read.
    pub reader: Id,
    /// Up to which message; all if `None`.
    pub up_to: Option<i64>,
}

/// How far a user has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Up to which message; never less than before.
    pub up_to_seq: i64,
    /// How many messages were not read before and now are.
    pub newly_read: u64,
    /// What is left.
    pub unread: Unread,
}

/// What a user missed.
#[derive(Debug, Clone, Default)]
pub struct Missed {
    /// Where the messages are, in the order of their ids, without deleted ones; empty if there are too many.
    pub messages: Vec<MissedMessage>,
    /// Whether there are more than were asked for.
    pub is_too_much: bool,
    /// The conversations in which something came, each with its last message.
    pub changed: Vec<(Id, i64)>,
    /// Every conversation of the user that has messages, by the store's key, with its last message at that moment.
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

/// Up to where what the other wrote has reached a device of one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The store's key of the conversation.
    pub conversation: i64,
    /// Which of its participants.
    pub side: usize,
    /// Up to which message.
    pub seq: i64,
}
