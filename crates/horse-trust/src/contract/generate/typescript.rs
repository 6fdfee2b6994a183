//! The declarations of all events, for the typed events of Socket.IO.

use std::collections::BTreeSet;

use serde_json::Value;

use super::definitions::{Definitions, properties, reference};
use crate::contract::composed::EventSchema;

/// The greatest width of a line.
const WIDTH: usize = 120;
/// Plain values that have a name of their own; all others are `string` and `number`.
const NAMED_VALUES: [&str; 3] = ["Id", "Time", "Refusal"];
/// Events that can do without an acknowledgement.
const UNACKNOWLEDGED: [&str; 2] = ["typing", "stop_typing"];

const HEAD: &str = "\
/**
 * The events of Horse Trust's chat, for the typed events of Socket.IO:
 *
 * ```ts
 * const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url, { auth });
 * ```
 *
 * Lengths of messages' texts are counted as JavaScript's `length` does, in UTF-16 units; others in characters. Fields
 * may be added to what the server sends, never renamed or dropped.
 *
 * Made by `make contract` from crates/horse-trust/src/contract, with its comments.
 */
";

const ACKNOWLEDGEMENTS: &str = "
/** The acknowledgement of an event that was done, with what it brings. */
export interface Answered<Data> extends Done {
  data: Data;
}

/** What an acknowledgement brings: `if (answer.success) answer.data; else answer.message`. */
export type Acknowledgement<Data = undefined> = (Data extends undefined ? Done : Answered<Data>) | Refused;

/** The callback that takes an acknowledgement; called once, or never if the connection is lost before. */
export type Acknowledge<Data = undefined> = (answer: Acknowledgement<Data>) => void;
";

const CLIENT_EVENTS: &str = "\
What clients send. Every event is acknowledged; `typing` and `stop_typing` can do without the callback. \
`socket.emitWithAck` knows the types too; behind `socket.timeout(…)` pass the callback `(error, answer) => …` instead, \
because there socket.io-client 4.8 takes the awaited answer for an `Error`.";

const SERVER_EVENTS: &str = "\
What the server sends. With `auth.recovery` each event has one more argument, the offset that the client library itself \
makes use of.";

pub(super) fn declarations(definitions: &Definitions) -> String {
    let mut file = File { definitions, text: HEAD.to_owned(), declared: BTreeSet::new() };
    for name in ["Id", "Time", "Auth", "ConnectError", "Done", "Refused"] {
        file.declare(name);
    }
    file.text.push_str(ACKNOWLEDGEMENTS);
    file.declare_all(&definitions.received);
    file.interface("ClientToServerEvents", CLIENT_EVENTS, &definitions.received);
    file.declare_all(&definitions.sent);
    file.interface("ServerToClientEvents", SERVER_EVENTS, &definitions.sent);
    file.text
}

struct File<'a> {
    definitions: &'a Definitions,
    text: String,
    declared: BTreeSet<&'a str>,
}

impl<'a> File<'a> {
    fn declare_all(&mut self, events: &'a [EventSchema]) {
        for event in events {
            let answer = event.answer.iter().map(schemars::Schema::as_value);
            for schema in std::iter::once(event.payload.as_value()).chain(answer) {
                for name in Definitions::references(schema) {
                    self.declare(name);
                }
            }
        }
    }

    /// Declares a type, after those that it is made of.
    fn declare(&mut self, name: &'a str) {
        let schema = &self.definitions.schemas[name];
        if !self.declared.insert(name) {
            return;
        }
        for name in Definitions::references(schema) {
            self.declare(name);
        }
        // Acknowledgements with data are `Answered<Data>`.
        if self.is_value(name) || name.ends_with("Answer") {
            return;
        }
        self.text.push('\n');
        self.comment(0, schema);
        if let Some([one, other]) = excluded(schema) {
            self.exclusive(name, schema, one, other);
        } else if schema.get("properties").is_some() {
            self.text.push_str(&format!("export interface {name} {{\n"));
            self.fields(2, schema, |_| true);
            self.text.push_str("}\n");
        } else {
            let kind = self.kind_in_lines(0, schema);
            self.text.push_str(&format!("export type {name} ={kind};\n"));
        }
    }

    /// An object that has one of two fields, or neither.
    fn exclusive(&mut self, name: &str, schema: &Value, one: &str, other: &str) {
        self.text.push_str(&format!("export type {name} = {{\n"));
        self.fields(2, schema, |field| field != one && field != other);
        self.text.push_str("} & (\n");
        for (wanted, never) in [(one, other), (other, one)] {
            self.text.push_str("  | {\n");
            self.fields(6, schema, |field| field == wanted);
            self.text.push_str(&format!("      {never}?: never;\n    }}\n"));
        }
        self.text.push_str(");\n");
    }

    fn fields(&mut self, indent: usize, schema: &Value, is_wanted: impl Fn(&str) -> bool) {
        for (name, schema, is_required) in properties(schema).into_iter().filter(|(name, ..)| is_wanted(name))
        {
            self.comment(indent, schema);
            let (mark, kind) = (if is_required { "" } else { "?" }, self.kind_in_lines(indent, schema));
            self.text.push_str(&format!("{:indent$}{name}{mark}:{kind};\n", ""));
        }
    }

    fn interface(&mut self, name: &str, description: &str, events: &[EventSchema]) {
        self.text.push('\n');
        self.comment_text(0, description);
        self.text.push_str(&format!("export interface {name} {{\n"));
        for event in events {
            self.comment_text(2, &event.description);
            let payload = self.kind(event.payload.as_value());
            let answer = event.answer.as_ref().and_then(|answer| reference(answer.as_value()));
            let Some(answer) = answer else {
                self.text.push_str(&format!("  {}: (argument: {payload}) => void;\n", event.name));
                continue;
            };
            let callback = match answer.strip_suffix("Answer") {
                Some(data) => format!("Acknowledge<{data}>"),
                None if answer == "Done" => "Acknowledge".to_owned(),
                None => format!("(answer: {answer} | Refused) => void"),
            };
            let mark = if UNACKNOWLEDGED.contains(&event.name) { "?" } else { "" };
            self.text.push_str(&format!(
                "  {}: (payload: {payload}, acknowledge{mark}: {callback}) => void;\n",
                event.name
            ));
        }
        self.text.push_str("}\n");
    }

    /// Whether the type is written out where it is used.
    fn is_value(&self, name: &str) -> bool {
        let schema = &self.definitions.schemas[name];
        let is_object = schema.get("properties").is_some() || schema.get("oneOf").is_some();
        !is_object && !NAMED_VALUES.contains(&name)
    }

    /// What follows the name of a type or field: the parts of a long union on lines of their own.
    fn kind_in_lines(&self, indent: usize, schema: &Value) -> String {
        let kind = self.kind(schema);
        if kind.len() <= WIDTH {
            return format!(" {kind}");
        }
        let separator = format!("\n{:indent$}  | ", "");
        format!("{separator}{}", kind.replace(" | ", &separator))
    }

    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = reference(schema) {
            return if self.is_value(name) {
                self.kind(&self.definitions.schemas[name])
            } else {
                name.to_owned()
            };
        }
        if let Some(parts) = schema.get("oneOf").or(schema.get("anyOf")).and_then(Value::as_array) {
            let is_open = parts.iter().any(|part| reference(part) == Some("Refusal"));
            // With `string` alone an editor would no longer offer the texts that are known.
            let kind = |part| Some(self.kind(part)).filter(|kind| !is_open || kind != "string");
            let open = is_open.then(|| "(string & {})".to_owned());
            return union(parts.iter().filter_map(kind).chain(open));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            let is_named = NAMED_VALUES.iter().any(|name| &self.definitions.schemas[*name] == schema);
            // A list of texts without a name of its own may grow.
            return if is_named { union(values.iter().map(Value::to_string)) } else { "string".to_owned() };
        }
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        match schema.get("type") {
            Some(Value::Array(kinds)) => {
                union(kinds.iter().filter_map(Value::as_str).map(|kind| self.of_type(kind, schema)))
            }
            Some(Value::String(kind)) => self.of_type(kind, schema),
            _ => "unknown".to_owned(),
        }
    }

    fn of_type(&self, kind: &str, schema: &Value) -> String {
        match kind {
            "integer" => "number".to_owned(),
            "array" => {
                let item = self.kind(&schema["items"]);
                let is_pair = [&schema["minItems"], &schema["maxItems"]].iter().all(|count| **count == 2);
                if is_pair { format!("[{item}, {item}]") } else { format!("{item}[]") }
            }
            // Any object.
            "object" if schema.get("properties").is_none() => "Record<string, unknown>".to_owned(),
            "object" => {
                let fields = properties(schema).into_iter().map(|(name, schema, is_required)| {
                    format!("{name}{}: {}", if is_required { "" } else { "?" }, self.kind(schema))
                });
                format!("{{ {} }}", fields.collect::<Vec<_>>().join("; "))
            }
            other => other.to_owned(),
        }
    }

    fn comment(&mut self, indent: usize, schema: &Value) {
        if let Some(description) = schema.get("description").and_then(Value::as_str) {
            self.comment_text(indent, description);
        }
    }

    fn comment_text(&mut self, indent: usize, description: &str) {
        let description = description.trim();
        if indent + description.chars().count() + 7 <= WIDTH {
            return self.text.push_str(&format!("{:indent$}/** {description} */\n", ""));
        }
        self.text.push_str(&format!("{:indent$}/**", ""));
        let mut width = WIDTH;
        for word in description.split_whitespace() {
            let length = word.chars().count();
            if width + 1 + length > WIDTH {
                self.text.push_str(&format!("\n{:indent$} *", ""));
                width = indent + 2;
            }
            self.text.push_str(&format!(" {word}"));
            width += 1 + length;
        }
        self.text.push_str(&format!("\n{:indent$} */\n", ""));
    }
}

/// The two fields that exclude one another.
fn excluded(schema: &Value) -> Option<[&str; 2]> {
    match schema.get("not")?.get("required")?.as_array()?.as_slice() {
        [Value::String(one), Value::String(other)] => Some([one, other]),
        _ => None,
    }
}

fn union(kinds: impl Iterator<Item = String>) -> String {
    let mut all = Vec::new();
    kinds.for_each(|kind| {
        if !all.contains(&kind) {
            all.push(kind);
        }
    });
    all.join(" | ")
}
