//! Users: what others see of them, and what they see of themselves.

use serde::Serialize;
use serde_json::value::RawValue;

use super::arguments::text_or_field;
use super::refusal::Refusal;
#[cfg(test)]
use super::schema;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// What one user sees of another.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Profile<'a> {
    /// The user.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// 1 to 100 characters; null if the user has no profile here, or was erased.
    pub full_name: Option<&'a str>,
    /// Left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_picture_url: Option<&'a str>,
    /// True once the account was erased; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
}

/// A user, by the id or in an object.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(transform = schema::or_bare))]
pub struct UserName {
    /// The user.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub user_id: String,
}

impl UserName {
    /// Takes the id alone, or an object with it.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        Ok(Self { user_id: text_or_field(arguments, "user_id")? })
    }
}

/// The argument of `user_blocked` and `user_unblocked`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockedUser<'a> {
    /// Who was blocked, or no longer is.
    pub user_id: &'a Id,
}

/// The argument of `presence`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Presence<'a> {
    /// The user.
    pub user_id: &'a Id,
    /// Whether a device of theirs is connected, or was until a moment ago.
    pub online: bool,
    /// When the last device went; null while online, or if never seen.
    pub last_seen: Option<Timestamp>,
}

/// Until when an account is suspended, and why.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Suspension<'a> {
    /// Null if it has no end.
    pub until: Option<Timestamp>,
    /// Null if none was given.
    pub reason: Option<&'a str>,
}

/// An account as its owner sees it; never the hash.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Account<'a> {
    /// The user.
    pub id: &'a Id,
    /// Lower-case; left out if the platform gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// Null if an imported account has none.
    pub full_name: Option<&'a str>,
    /// The rights.
    #[cfg_attr(test, schemars(with = "schema::Role"))]
    pub role: &'a str,
    /// `+` and 7 to 15 digits; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<&'a str>,
    /// Left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_picture_url: Option<&'a str>,
}
