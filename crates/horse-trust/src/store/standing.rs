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

/// Names one token of a user: the first 8 bytes of the SHA-256 of what was signed, its header and claims. No two tokens
/// of a user have the same by accident, and nobody else's are compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenId(pub i64);

/// A token that its user signed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidToken {
    /// The user.
    pub user: Id,
    /// The token.
    pub token: TokenId,
    /// When it ends by itself; `None` if it does not.
    pub expires_at: Option<Timestamp>,
}

impl VoidToken {
    /// For how many milliseconds a void token is remembered after its end: a node whose clock is behind takes it for as
    /// much longer.
    pub const KEPT_AFTER_END: i64 = 24 * 60 * 60 * 1000;

    /// Whether it ended so long ago that no node takes it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end.0.saturating_add(Self::KEPT_AFTER_END) < now.0)
    }
}

/// How many void tokens are kept of a user. One more ends all sessions, which makes every token void that was issued
/// before.
pub const MAX_VOID_TOKENS: usize = 100;

/// How many void tokens that are over are forgotten with each new one: the work stays constant, and they do not pile up.
pub(super) const FORGOTTEN_WITH_EACH: i64 = 8;

/// An account is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suspension {
    /// Until when; `None` is without an end.
    pub until: Option<Timestamp>,
    /// Why, in words for the user.
    pub reason: Option<String>,
}

impl Suspension {
    /// The suspension that an account has at `now`: one of its own, as `until` and `reason`, or the one that `is_active`
    /// says, which has no end.
    pub(super) fn of(
        is_active: bool,
        own: Option<(Option<Timestamp>, Option<String>)>,
        now: Timestamp,
    ) -> Option<Self> {
        let own = own.filter(|(until, _)| until.is_none_or(|until| now < until));
        match own {
            Some((until, reason)) => Some(Self { until: until.filter(|_| is_active), reason }),
            None => (!is_active).then(Self::default),
        }
    }
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
    /// The account of one user; with what is so now.
    Account(Standing),
    /// The profile of one user, and perhaps the account.
    Profile(Standing),
    /// A user signed this token out.
    TokenVoid(VoidToken),
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
pub const MAX_CHANGES: usize = 10_000;
