//! The handshake, and tokens that end.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::arguments::text_or_field;
use super::refusal::Refusal;
#[cfg(test)]
use super::schema;
use crate::timestamp::Timestamp;

/// The handshake's `auth`. As a function (`auth: (set) => set({…})`) it can bring a new token at each connection.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Auth<'a> {
    /// A JWT, HS256, with `userId` and `role`, from `POST /api/auth/login`.
    #[serde(borrow)]
    #[cfg_attr(test, schemars(with = "String"))]
    pub token: Option<&'a RawValue>,
    /// The `_id` of the last message the client has: what came after it in all of the user's conversations is sent as
    /// `new_message`, in order, and then every new one, joined or not. `0` or `""`: everything from the beginning.
    /// Left out or null: only new messages of joined conversations.
    #[serde(borrow, default, rename = "serverOffset")]
    #[cfg_attr(test, schemars(schema_with = "schema::server_offset"))]
    pub server_offset: Option<&'a RawValue>,
    /// `true` turns Socket.IO's connection state recovery on: after at most two minutes away nothing is missed.
    #[serde(borrow)]
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    pub recovery: Option<&'a RawValue>,
}

/// Why a connection is refused; the message of `connect_error`.
pub mod refusals {
    /// The token is missing, empty, or no text.
    pub const NO_TOKEN: &str = "Authentication error: no token";
    /// The token does not verify.
    pub const INVALID_TOKEN: &str = "Authentication error: invalid token";
    /// The token is valid, and the account may not be used; with [`Suspension`](super::super::Suspension) as data.
    pub const SUSPENDED: &str = "Authentication error: account suspended";
    /// The user opens too many; with [`RetryAfter`](super::RetryAfter) as data.
    pub const TOO_MANY: &str = "Too many connections";
}

/// When something can be tried again.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RetryAfter {
    /// Whole seconds, at least 1.
    #[cfg_attr(test, schemars(with = "schema::RetryAfter"))]
    pub retry_after: u64,
}

/// The payload of `refresh_token`: a new token of the same user, alone or in an object.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = schema::or_bare))]
pub struct RefreshToken {
    /// A JWT.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub token: String,
}

impl RefreshToken {
    /// Takes the token alone, or an object with it.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        Ok(Self { token: text_or_field(arguments, "token")? })
    }
}

/// What `refresh_token` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Refreshed {
    /// When the new token ends; null if it has no end.
    pub expires_at: Option<Timestamp>,
}

/// The argument of `token_expiring`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenExpiring {
    /// When the token ends.
    pub expires_at: Timestamp,
}
