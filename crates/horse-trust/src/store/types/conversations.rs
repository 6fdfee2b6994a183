//! Conversations, and what a list shows of them.

use super::accounts::Profile;
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::timestamp::Timestamp;

/// A conversation of two: what never changes of it, so it may be cached without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The store's own key for it.
    pub key: i64,
    /// The id that clients know.
    pub id: Id,
    /// The two who take part, in the order in which they were given.
    pub participants: [Id; 2],
    /// The horse that it is about.
    pub horse_id: Option<Id>,
    /// When it was begun.
    pub created_at: Timestamp,
}

impl Conversation {
    /// The one who is not `user`; `None` if `user` takes no part.
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

    /// Which of the two `user` is.
    pub fn side_of(&self, user: &Id) -> Option<usize> {
        self.participants.iter().position(|participant| participant == user)
    }

    /// Which of the two `user` is; an error if neither, which the chat has ruled out.
    pub(in crate::store) fn require_side_of(&self, user: &Id) -> Result<usize> {
        self.side_of(user)
            .ok_or_else(|| StoreError::Engine("the user takes no part in the conversation".into()))
    }
}

/// A conversation as a list shows it to one of the two.
#[derive(Debug, Clone)]
pub struct ConversationSummary {
    /// The unchanging part.
    pub conversation: Conversation,
    /// The profiles of `participants`, in their order; `None` where the user has none here.
    pub profiles: [Option<Profile>; 2],
    /// When the last message came, or the conversation was made.
    pub updated_at: Timestamp,
    /// The last message, if there is one.
    pub last_message: Option<LastMessage>,
    /// How many messages of the other the asking user has not read.
    pub unread_count: u64,
    /// The sequence number of the last message, deleted or not; 0 if there is none.
    pub last_seq: i64,
    /// What is known of each of the two, in the order of `participants`.
    pub sides: [Side; 2],
    /// Whether both see the conversation: it has a message, or both have opened it.
    pub is_mutual: bool,
}

/// What is known of one of the two in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Side {
    /// Up to where the other's messages are read.
    pub read_seq: i64,
    /// Up to where the other's messages have reached a device.
    pub delivered_seq: i64,
    /// When the last device went, if it was ever seen to.
    pub last_seen: Option<Timestamp>,
    /// Whether this one has blocked the other.
    pub has_blocked: bool,
}

/// The snapshot of the last message in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// Its text.
    pub text: String,
    /// Who wrote it.
    pub sender_id: Id,
    /// When.
    pub sent_at: Timestamp,
    /// Whether the other has read it.
    pub is_read: bool,
}

/// A conversation to find or begin.
#[derive(Debug)]
pub struct NewConversation {
    /// The two, the one who asks first.
    pub participants: [Id; 2],
    /// The horse that it is about.
    pub horse_id: Option<Id>,
}
