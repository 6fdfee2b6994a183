//! Erasures: what is left to do of them.

use crate::id::Id;
use crate::timestamp::Timestamp;

/// A user who is being erased: the profile is gone, and the rest goes part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The user.
    pub user: Id,
    /// Whether the texts of all messages go, too.
    pub with_messages: bool,
    /// When it was begun, by the store's clock. What was sent later is of a new account with the same id, and stays.
    pub begun_at: Timestamp,
    /// Whether nothing is left to do but [`ErasureStore::finish_erasures`](crate::store::ErasureStore::finish_erasures).
    pub is_done: bool,
}

/// How long a message of a user may be on its way to the store when the user is erased, in milliseconds.
const ON_ITS_WAY: i64 = 2_000;

impl Erasure {
    /// The latest time of what is erased.
    pub(in crate::store) fn until(&self) -> i64 {
        self.begun_at.0.saturating_add(ON_ITS_WAY)
    }
}

/// What is to be erased in a part of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasurePart {
    /// The sequence numbers of messages of which something is left.
    pub messages: Vec<i64>,
    /// Behind which sequence number the next part begins; `None` at the end of the conversation.
    pub next: Option<i64>,
}
