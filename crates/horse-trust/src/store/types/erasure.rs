//! Erasures: what is left to do of them.

use crate::id::Id;

/// A user who is being erased: the profile is gone, and the rest goes part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The user.
    pub user: Id,
    /// Whether the texts of all messages go, too.
    pub with_messages: bool,
}

/// What is to be erased in a part of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErasurePart {
    /// The sequence numbers of messages of which something is left.
    pub messages: Vec<i64>,
    /// Behind which sequence number the next part begins; `None` at the end of the conversation.
    pub next: Option<i64>,
}
