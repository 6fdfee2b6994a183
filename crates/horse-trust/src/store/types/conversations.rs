//! Conversations, and what a list shows of them.

use serde_json::value::RawValue;

use super::accounts::Profile;
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::timestamp::Timestamp;

/// The part of a conversation that never changes, so it may be cached without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The store's own key for it.
    pub key: i64,
    /// The id that clients know.
    pub id: Id,
    /// The two participants, in the order in which they were given.
    pub participants: [Id; 2],
    /// The horse that it is about.
    pub horse_id: Option<Id>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Conversation {
    /// The other participant; `None` if `user` is not a participant.
    pub fn other(&self, user: &Id) -> Option<&Id> {
        let [first, second] = &self.participants;
        if first == user {
            Some(second)
        } else if second == user {
            Some(first)
        } else {
            None
        }
    }

    /// The index of `user` in `participants`.
    pub fn side_of(&self, user: &Id) -> Option<usize> {
        self.participants.iter().position(|participant| participant == user)
    }

    /// Who has to read a message of `sender`, with the index in `participants`: the other one, or both if the platform sent it.
    pub fn recipients_of(&self, sender: &Id) -> impl Iterator<Item = (usize, &Id)> {
        self.participants.iter().enumerate().filter(move |(_, participant)| *participant != sender)
    }

    /// What is stored of a sender: the index in `participants`, or 2 for the platform. An error for somebody else, whom the
    /// chat has ruled out.
    pub(in crate::store) fn require_sender(&self, sender: &Id) -> Result<u8> {
        if *sender == Id::SYSTEM {
            return Ok(2);
        }
        self.require_side_of(sender).map(|side| u8::from(side == 1))
    }

    /// The sender of whom this is stored.
    pub(in crate::store) fn sender_at(&self, stored: usize) -> Id {
        self.participants.get(stored).cloned().unwrap_or(Id::SYSTEM)
    }

    /// The index of `user` in `participants`; an error if there is none, which the chat has ruled out.
    pub(in crate::store) fn require_side_of(&self, user: &Id) -> Result<usize> {
        self.side_of(user)
            .ok_or_else(|| StoreError::Engine("the user takes no part in the conversation".into()))
    }
}

/// A conversation as a list shows it to one of its participants.
#[derive(Debug, Clone)]
pub struct ConversationSummary {
    /// The unchanging part.
    pub conversation: Conversation,
    /// The profiles of `participants`, in their order; `None` for a user without an account here.
    pub profiles: [Option<Profile>; 2],
    /// When the last message was stored, or the conversation created.
    pub updated_at: Timestamp,
    /// The last message, if there is one.
    pub last_message: Option<LastMessage>,
    /// How many messages the user who asks has not read.
    pub unread_count: u64,
    /// The sequence number of the last message, deleted or not; 0 if there is none.
    pub last_seq: i64,
    /// The state of each of `participants`, in their order.
    pub sides: [Side; 2],
    /// Whether both participants see the conversation: it has a message, or both have opened it.
    pub is_mutual: bool,
    /// What the platform shows of the horse, as JSON.
    pub listing: Option<Box<RawValue>>,
}

/// The state of one participant of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Side {
    /// The sequence number up to which the other's messages are read.
    pub read_seq: i64,
    /// The sequence number up to which the other's messages were delivered to a device.
    pub delivered_seq: i64,
    /// When the last device disconnected; `None` if that was never recorded.
    pub last_seen: Option<Timestamp>,
    /// Whether this participant has blocked the other.
    pub has_blocked: bool,
    /// What this participant has set for the conversation.
    pub settings: ConversationSettings,
}

/// What one participant has set for a conversation; the other neither sees nor shares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConversationSettings {
    /// Whether it is left out of the list. A message stored since then, by whichever of the two, ends that.
    pub is_archived: bool,
    /// Whether its messages are to attract no attention.
    pub is_muted: bool,
    /// Whether clients show it before the others.
    pub is_pinned: bool,
}

/// Settings of a conversation to change; `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SettingsChange {
    /// See [`ConversationSettings::is_archived`].
    pub archived: Option<bool>,
    /// See [`ConversationSettings::is_muted`].
    pub muted: Option<bool>,
    /// See [`ConversationSettings::is_pinned`].
    pub pinned: Option<bool>,
}

/// The snapshot of the last message in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// Its text.
    pub text: String,
    /// Its sender.
    pub sender_id: Id,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// Whether its recipient has read it.
    pub is_read: bool,
}

/// A conversation to find or create.
#[derive(Debug)]
pub struct NewConversation {
    /// The two participants; the one who opens it comes first.
    pub participants: [Id; 2],
    /// The horse that it is about.
    pub horse_id: Option<Id>,
}
