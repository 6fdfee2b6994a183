//! What the types of the contract are called in the documents, and what their plain values may be. Tests alone have
//! it, so the product does not pay for it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::custom::Custom;
use super::refusal::Refusal;
use super::text;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// Gives a type its name in the documents, and its schema.
macro_rules! named {
    ($($kind:ty: $name:literal = $schema:expr;)*) => {
        $(impl JsonSchema for $kind {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                Schema::try_from($schema).expect("a schema is an object")
            }
        })*
    };
}

pub(super) struct Seq;
pub(super) struct Count;
pub(super) struct Text;
pub(super) struct ClientId;
pub(super) struct MessageType;
pub(super) struct RetryAfter;
pub(super) struct Role;
pub(super) struct Withdrawal;
pub(super) struct ReportState;
pub(super) struct Yes;

named! {
    Id: "Id" = json!({
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{1,64}$",
        "description": "1 to 64 characters of `A-Z a-z 0-9 _ -`. Ids of messages sort by the time they were sent.",
    });
    Timestamp: "Time" = json!({
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        "description": "A time in UTC, to the millisecond: `2024-01-15T10:30:00.000Z`.",
    });
    Seq: "Seq" = json!({
        "type": "integer",
        "minimum": 0,
        "description": "1, 2, 3 … in a conversation, without holes; 0 is before the first.",
    });
    Count: "Count" = json!({"type": "integer", "minimum": 0});
    Text: "Text" = json!({
        "type": "string",
        "minLength": 1,
        "maxLength": text::MAX_TEXT_UNITS,
        "description": "Not white space alone, without U+0000.",
    });
    ClientId: "ClientId" = json!({
        "type": "string",
        "minLength": 1,
        "maxLength": text::MAX_CLIENT_ID,
        "description":
            "Chosen by the client, new for each message; of each sender it names one message, which is stored once.",
    });
    Custom: "Custom" = json!({
        "type": "object",
        "description": "An object of the platform's own, of at most 2048 bytes as JSON.",
    });
    RetryAfter: "RetryAfter" = json!({"type": "integer", "minimum": 1, "description": "Seconds."});
    MessageType: "MessageType" = json!({"enum": ["system"]});
    Role: "Role" = json!({"enum": ["seller", "admin"]});
    ReportState: "ReportState" = json!({"enum": ["open", "resolved", "dismissed"]});
    Yes: "Yes" = json!({"const": true});
    Withdrawal: "Withdrawal" = json!({"enum": ["edited", "deleted"]});
    Refusal: "Refusal" = {
        let mut texts = Refusal::TEXTS.to_vec();
        texts.sort_unstable();
        texts.dedup();
        json!({"enum": texts, "description": "Why the server says no; see docs/protocol.md. Texts may be added."})
    };
}

pub(super) fn yes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"const": true})
}

pub(super) fn no(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"const": false})
}

/// A refusal's text, or one that is newer than the client.
pub(super) fn message(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [generator.subschema_for::<Refusal>(), {"type": "string"}]})
}

pub(super) fn server_offset(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"oneOf": [{"type": "string", "maxLength": Id::MAX_LENGTH}, {"const": 0}, {"type": "null"}]})
}

/// The schema of an object with one field becomes one of the object or the field's bare value.
pub(super) fn or_bare(schema: &mut Schema) {
    let object = schema.ensure_object();
    let description = object.remove("description");
    let bare = object["properties"].as_object().and_then(|fields| fields.values().next().cloned());
    let mut bare = bare.expect("it has a field");
    bare.as_object_mut().expect("a schema is an object").remove("description");
    let named = Value::Object(std::mem::take(object));
    object.insert("oneOf".to_owned(), json!([named, bare]));
    object.extend(description.map(|text| ("description".to_owned(), text)));
}

pub(super) fn message_example() -> Value {
    json!({
        "_id": "65a50b5e9f1c2d3e4f506173",
        "conversation_id": "65a50b5e9f1c2d3e4f506171",
        "sender_id": {"_id": "65a50b5e9f1c2d3e4f506170", "full_name": "Ana"},
        "text": "Is the mare still for sale?",
        "is_read": false,
        "sent_at": "2024-01-15T10:30:00.000Z",
        "seq": 42,
        "client_id": "a-1",
    })
}

/// Every refusal is a text that JSON would not change.
#[test]
fn refusals_are_plain_text() {
    for text in Refusal::TEXTS {
        assert_eq!(json!(text).to_string(), format!("\"{text}\""));
    }
}
