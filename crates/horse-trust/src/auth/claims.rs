//! What a token says, and why one is not accepted.

use std::sync::Arc;

use crate::id::Id;
use crate::store::{Role, Suspension, TokenId};
use crate::timestamp::Timestamp;

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It does not verify, or is void. The reason goes to the log at debug level, never to the client.
    #[error("invalid token")]
    Invalid,
    /// It is valid, and its user's account is suspended.
    #[error("account suspended")]
    Suspended(Arc<Suspension>),
}

/// What a valid token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// The user.
    pub user: Id,
    /// The user's rights; a role that is unknown or missing gives none beyond a seller's.
    pub role: Role,
    /// Which token it is.
    pub token: TokenId,
    /// When the token ends, in seconds since 1970, if it does.
    pub expires_at: Option<f64>,
    /// When the token was issued, if it says so.
    pub issued_at: Option<Timestamp>,
    /// How often all sessions of the user had been ended when the token was issued, if it was issued here; see
    /// [`Revocation`](crate::store::Revocation).
    pub generation: Option<i64>,
}
