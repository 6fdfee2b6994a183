//! Webhooks, for admins.

use serde::Serialize;

use crate::timestamp::Timestamp;

/// An event that was given up: it is not tried again by itself.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GivenUpWebhook<'a> {
    /// Its `webhook-id`. Each URL has an entry of its own.
    #[serde(rename = "_id")]
    #[cfg_attr(test, schemars(regex(pattern = r"^msg_[0-9a-f]{22}$")))]
    pub id: String,
    /// Scheme, host and port of the URL, which may hold a secret otherwise.
    pub origin: &'a str,
    /// Its type; left out for one of a newer version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<&'static str>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// Why the last attempt failed.
    pub error: &'a str,
}
