//! The audit, for admins.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::id::Id;
use crate::timestamp::Timestamp;

/// A change that an admin or the platform made.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditEntry<'a> {
    /// Its number; ascends with time.
    #[serde(rename = "_id")]
    #[cfg_attr(test, schemars(regex(pattern = r"^\d+$")))]
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who made it.
    pub by: AuditActor<'a>,
    /// What was done: a noun and a verb, such as `user.suspend`. Actions may be added.
    #[cfg_attr(test, schemars(regex(pattern = r"^[a-z_]+\.[a-z_]+$")))]
    pub action: &'a str,
    /// What was changed; left out if it has no id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'a Id>,
    /// Further facts; left out if there are none. Never a text, a name or an e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Map<String, Value>>,
}

/// Who made a change: one of the platform's keys, or an admin.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditActor<'a> {
    /// The place of the key in `API_KEYS`, from 1; left out if it was an admin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub key: Option<usize>,
    /// The admin; left out if it was the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a Id>,
}
