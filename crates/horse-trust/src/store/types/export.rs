//! What an export of a user reads beside what other parts of the chat read.

use crate::id::Id;
use crate::store::types::{Report, Withdrawn};
use crate::timestamp::Timestamp;

/// Reports that a user made, or of messages of theirs.
#[derive(Debug, Default)]
pub struct ReportsOfUser {
    /// Oldest first.
    pub reports: Vec<Report>,
    /// The key behind which to look on; `None` at the end. A look is at a bounded number of reports of all users, so it may
    /// be set where none were found.
    pub next: Option<i64>,
}

/// A text that was withdrawn, and its place among those of its conversation: the message's sequence number, and a key.
pub type WithdrawnAt = ((i64, i64), Withdrawn);

/// A user who is blocked, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The user who is blocked.
    pub user: Id,
    /// When that was set.
    pub created_at: Timestamp,
}
