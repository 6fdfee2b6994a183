//! What is put together as text around what is encoded already, or by the protocol engine, as types for the documents.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::connection::refusals;
use super::error::malformed;
use super::message::Message;
use super::schema;
use crate::timestamp::Timestamp;

/// An event, and the schemas of what goes with it.
pub(super) struct EventSchema {
    pub(super) name: &'static str,
    pub(super) description: String,
    pub(super) payload: Schema,
    pub(super) answer: Option<Schema>,
}

/// The acknowledgement of an event that was done; nothing more is to be said.
#[derive(Serialize, JsonSchema)]
pub(super) struct Done {
    /// Always true.
    #[schemars(schema_with = "schema::yes")]
    success: bool,
}

/// The acknowledgement of an event that was done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{Data}Answer")]
pub(super) struct Answered<Data> {
    /// Always true.
    #[schemars(schema_with = "schema::yes")]
    success: bool,
    /// What it brings.
    data: Data,
}

/// The acknowledgement of `fetch_messages`.
#[derive(Serialize, JsonSchema)]
pub(super) struct Fetched {
    /// Always true.
    #[schemars(schema_with = "schema::yes")]
    success: bool,
    /// The messages, oldest first.
    data: Messages,
    /// Whether there is more in the direction that was asked for.
    has_more: bool,
}

/// A part of a history, oldest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct Messages(#[schemars(length(max = 100))] Vec<Message<'static>>);

/// The argument of `connect_error`.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConnectError {
    /// `Authentication error: no token`, `Authentication error: invalid token`, `Authentication error: account suspended`,
    /// `Too many connections` or `Invalid namespace`.
    #[schemars(schema_with = "connect_messages")]
    message: String,
    /// Comes with `Too many connections`, and with `Authentication error: account suspended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<ConnectErrorData>,
}

/// What goes with a `connect_error`.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConnectErrorData {
    /// With `Too many connections`: seconds, at least 1, until a connection is taken again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<schema::RetryAfter>")]
    retry_after: Option<u64>,
    /// With `account suspended`: null if it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "nullable_time")]
    until: Option<Timestamp>,
    /// With `account suspended`: null if none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "nullable_text")]
    reason: Option<String>,
}

fn connect_messages(_: &mut SchemaGenerator) -> Schema {
    use refusals::{INVALID_TOKEN, NO_TOKEN, SUSPENDED, TOO_MANY};
    // The last is the protocol engine's.
    json_schema!({"enum": [NO_TOKEN, INVALID_TOKEN, SUSPENDED, TOO_MANY, "Invalid namespace"]})
}

fn nullable_time(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [generator.subschema_for::<Timestamp>(), {"type": "null"}]})
}

fn nullable_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"type": "string"}, {"type": "null"}]})
}

/// Why a body is not taken: the message of a 400.
pub(super) struct MalformedMessage;

impl JsonSchema for MalformedMessage {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MalformedMessage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": malformed::ALL, "description": "Why a body is not taken."})
    }
}
