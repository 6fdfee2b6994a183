//! Acknowledgements, as JSON.

use serde::Serialize;

use super::refusal::Refusal;
#[cfg(test)]
use super::schema;
use crate::json;

/// The acknowledgement of an event that was done, and of which nothing more is to be said.
pub const DONE: &str = r#"{"success":true}"#;

/// The acknowledgement of an event that answers with `data`, given as JSON. Over HTTP the body is the same.
pub fn success(data: &str) -> String {
    format!(r#"{{"success":true,"data":{data}}}"#)
}

/// The acknowledgement of a refused event; the connection stays open. Nothing was done, except that after `Error sending
/// message` and `Server error` it is not known: a message is sent again with the same `client_id`, anything else is asked
/// for again.
#[derive(Debug, Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(
        extend("if" = {"properties": {"message": {"const": "Too many messages"}}}),
        extend("then" = {"required": ["retry_after"]}),
        extend("else" = {"not": {"required": ["retry_after"]}})
    )
)]
pub(super) struct Refused<'a> {
    /// Always false.
    #[cfg_attr(test, schemars(schema_with = "schema::no"))]
    success: bool,
    /// Why; texts may be added.
    #[cfg_attr(test, schemars(schema_with = "schema::message"))]
    message: &'a str,
    /// Comes with `Too many messages`: whole seconds, at least 1, until it can be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::RetryAfter>"))]
    retry_after: Option<u64>,
}

/// The acknowledgement of an event that was refused.
pub fn refused(refusal: Refusal) -> String {
    let retry_after = match refusal {
        Refusal::TooManyMessages { retry_after } => Some(retry_after),
        _ => None,
    };
    json::encode(&Refused { success: false, message: refusal.text(), retry_after })
}
