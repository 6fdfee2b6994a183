//! The schemas of the contract's types, by their names.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::contract::answer::Refused;
use crate::contract::audit::AuditEntry;
use crate::contract::client_event::ClientEvent;
use crate::contract::composed::{Answered, ConnectError, EventSchema, MalformedMessage, Messages};
use crate::contract::connection::Auth;
use crate::contract::error::Error;
use crate::contract::message::{Draft, Message, PlatformMessage};
use crate::contract::people::{Account, Profile};
use crate::contract::person::Person;
use crate::contract::report::{DecideReport, Report, Withdrawn};
use crate::contract::server_event::ServerEvent;
use crate::contract::webhook::GivenUpWebhook;

/// Where a document has its schemas.
const PLACE: &str = "/components/schemas";

/// Every schema, and the events.
pub(super) struct Definitions {
    pub(super) schemas: BTreeMap<String, Value>,
    pub(super) received: Vec<EventSchema>,
    pub(super) sent: Vec<EventSchema>,
}

impl Definitions {
    pub(super) fn of_contract() -> Self {
        // What may be left out of what comes in is not what may be left out of what goes out.
        let (mut payloads, mut answers) = (generator(false), generator(true));
        let received = ClientEvent::schemas(&mut payloads, &mut answers);
        let sent = ServerEvent::schemas(&mut answers);
        name::<Auth<'_>>(&mut payloads);
        name::<Draft>(&mut payloads);
        name::<DecideReport>(&mut payloads);
        name::<PlatformMessage>(&mut payloads);
        name::<ConnectError>(&mut answers);
        name::<Refused<'_>>(&mut answers);
        name::<Error>(&mut answers);
        name::<MalformedMessage>(&mut answers);
        name::<Account<'_>>(&mut answers);
        name::<Profile<'_>>(&mut answers);
        name::<Messages>(&mut answers);
        name::<Answered<Message<'_>>>(&mut answers);
        name::<Report<'_>>(&mut answers);
        name::<Withdrawn<'_>>(&mut answers);
        name::<AuditEntry<'_>>(&mut answers);
        name::<Person<'_>>(&mut answers);
        name::<GivenUpWebhook<'_>>(&mut answers);
        let mut schemas = BTreeMap::new();
        for (name, mut schema) in
            [payloads, answers].into_iter().flat_map(|mut generator| generator.take_definitions(true))
        {
            simplify(&mut schema);
            let other = schemas.insert(name.clone(), schema.clone());
            assert!(other.is_none_or(|other| other == schema), "{name} is two different things");
        }
        Self { schemas, received, sent }
    }

    /// The names that `schema` refers to, in their order.
    pub(super) fn references(schema: &Value) -> Vec<&str> {
        let mut found = Vec::new();
        if let Some(name) = reference(schema) {
            found.push(name);
        }
        match schema {
            Value::Object(fields) => {
                found.extend(ordered(fields).flat_map(|(_, value)| Self::references(value)));
            }
            Value::Array(values) => found.extend(values.iter().flat_map(Self::references)),
            _ => {}
        }
        found
    }
}

/// The name that `schema` refers to, if it is a reference.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#")?.strip_prefix(PLACE)?.strip_prefix('/')
}

/// The fields of an object schema: those that are always there in the order of their declaration, then the others.
pub(super) fn properties(schema: &Value) -> Vec<(&str, &Value, bool)> {
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let required: Vec<_> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let always = required.iter().map(|name| (*name, &fields[*name], true));
    let others = fields.iter().filter(|(name, _)| !required.contains(&name.as_str()));
    always.chain(others.map(|(name, schema)| (name.as_str(), schema, false))).collect()
}

/// What a schema says, in the order in which a reader wants it.
pub(super) fn ordered(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    const FIRST: [&str; 4] = ["$ref", "type", "description", "required"];
    let place = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let mut entries: Vec<_> = schema.iter().collect();
    entries.sort_by_key(|(name, _)| place(name));
    entries.into_iter()
}

fn generator(serializes: bool) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    PLACE.clone_into(settings.definitions_path.to_mut());
    if serializes { settings.for_serialize() } else { settings.for_deserialize() }.into_generator()
}

/// Takes a type among the definitions.
fn name<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

/// Takes out what says nothing to a reader of the documents: the width of numbers, the ends of comments' lines, and that a
/// field which may be left out may also be null.
fn simplify(schema: &mut Value) {
    if let Value::Array(values) = schema {
        values.iter_mut().for_each(simplify);
    }
    let Value::Object(fields) = schema else { return };
    if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with(['i', 'u'])) {
        fields.remove("format");
    }
    if let Some(Value::String(text)) = fields.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    fields.values_mut().for_each(simplify);
    let required = fields.get("required").cloned().unwrap_or_default();
    let is_required =
        |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties
            .iter_mut()
            .filter(|(name, _)| !is_required(name))
            .for_each(|(_, schema)| take_null_out(schema));
    }
}

fn take_null_out(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(parts)) = fields.get_mut("anyOf") {
        parts.retain(|part| part.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = parts.as_slice() {
            let only = only.clone();
            fields.remove("anyOf");
            fields.extend(only);
        }
    }
}
