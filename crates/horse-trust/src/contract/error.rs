//! The body of an error over HTTP.

use serde::Serialize;

#[cfg(test)]
use super::schema;

/// A field that is not right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FieldError {
    /// The field.
    pub path: &'static str,
    /// What is wrong with it.
    pub msg: String,
}

/// The body of an error.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Error {
    /// Always false.
    #[cfg_attr(test, schemars(schema_with = "schema::no"))]
    pub success: bool,
    /// Why.
    pub message: String,
    /// With a 422, each field that is not right.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub errors: Option<Vec<FieldError>>,
    /// With a 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::RetryAfter>"))]
    pub retry_after: Option<u64>,
}

/// Why a body is not taken: the message of a 400.
pub mod malformed {
    /// Something other than an object.
    pub const NO_OBJECT: &str = "The body is not a JSON object";
    /// No JSON.
    pub const NO_JSON: &str = "The body is not valid JSON";
    /// More fields than an object of a client may have.
    pub const TOO_MANY_FIELDS: &str = "The body has more than 64 fields";
    /// Bytes that are no text.
    pub const NOT_UTF_8: &str = "The body is not UTF-8";
    /// It broke off.
    pub const UNREADABLE: &str = "The body could not be read";
    /// It came too slowly.
    pub const TOO_SLOW: &str = "The body took too long";

    /// All of them.
    #[cfg(test)]
    pub(in crate::contract) const ALL: [&str; 6] =
        [NO_OBJECT, NO_JSON, TOO_MANY_FIELDS, NOT_UTF_8, UNREADABLE, TOO_SLOW];
}
