//! What decides whether the tokens of a user are accepted, and what has changed of users.

use crate::id::Id;
use crate::timestamp::Timestamp;

/// Which tokens of a user are void, since somebody ended all sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// How often all sessions of the user were ended. A token that was issued here says after which of them, so no
    /// clock decides.
    pub generation: i64,
    /// Tokens of another issuer, which say only when they were issued, are void if that was before this time, by the
    /// clock of the store.
    pub not_before: Timestamp,
}

/// An account is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suspension {
    /// Until when; `None` is without an end.
    pub until: Option<Timestamp>,
    /// Why, in words for the user.
    pub reason: Option<String>,
}

/// Whether the tokens of a user are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The user; who has no account here may have a standing all the same.
    pub user: Id,
    /// Which tokens are void.
    pub revocation: Option<Revocation>,
    /// Whether the account is suspended.
    pub suspension: Option<Suspension>,
}

/// Up to where somebody has read what changed of users. Opaque, and valid for one store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeCursor(pub(super) Box<str>);

/// Something changed of a user, by whatever process: the profile, the account, the validity of tokens; or a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// Of one user; with what is so now.
    User(Standing),
    /// What two users block of each other.
    Blocks([Id; 2]),
}

/// What changed of users since a cursor.
#[derive(Debug, Clone)]
pub struct UserChanges {
    /// From where to read on.
    pub cursor: ChangeCursor,
    /// Each change once, oldest first; `None` if there are more than [`MAX_CHANGES`], so that all there is has to be
    /// read anew.
    pub changes: Option<Vec<UserChange>>,
}

/// How many changes are answered at once.
pub const MAX_CHANGES: usize = 1_000;
