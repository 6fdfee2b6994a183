//! The claims of a valid token, and the reasons to reject one.

use std::sync::Arc;

use crate::id::Id;
use crate::store::{Role, Suspension, TokenId};
use crate::timestamp::Timestamp;

/// Why a token is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It does not verify, or was revoked. The reason is logged at debug level and never sent to the client.
    #[error("invalid token")]
    Invalid,
    /// The token is valid, but the account of its user is suspended.
    #[error("account suspended")]
    Suspended(Arc<Suspension>),
}

/// The claims of a valid token.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// The user.
    pub user: Id,
    /// The user's role; an unknown or missing role is a seller's.
    pub role: Role,
    /// Identifies the token among those of its user.
    pub token: TokenId,
    /// When the token expires, in seconds since 1970; `None` if it never does.
    pub expires_at: Option<f64>,
    /// When the token was issued; `None` if it has no usable time.
    pub issued_at: Option<Timestamp>,
    /// How often all sessions of the user had been ended when this server issued the token; `None` for other issuers. See
    /// [`Revocation`](crate::store::Revocation).
    pub generation: Option<i64>,
}
