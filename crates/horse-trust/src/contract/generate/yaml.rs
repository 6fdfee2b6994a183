//! Schemas as YAML, in the style of the documents around them: on one line what fits there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::definitions::{Definitions, ordered, properties};

/// The line in a document after which its schemas come, up to its end.
const BEGIN: &str = "\n  schemas:\n";
/// The greatest width of a line.
const WIDTH: usize = 120;

/// `document` with the schemas that it refers to.
pub(super) fn with_schemas(document: &str, definitions: &Definitions) -> String {
    let end = document.find(BEGIN).expect("the schemas are the end of the document") + BEGIN.len();
    let by_hand = &document[..end];
    let mut needed = BTreeSet::new();
    let mut names: Vec<&str> = by_hand
        .split("#/components/schemas/")
        .skip(1)
        .map(|rest| {
            rest.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or_default()
        })
        .collect();
    while let Some(name) = names.pop() {
        let schema = definitions.schemas.get(name).unwrap_or_else(|| panic!("src/contract has no {name}"));
        if needed.insert(name) {
            names.extend(Definitions::references(schema));
        }
    }
    let mut text = by_hand.to_owned();
    text.push_str("    # Made by `make contract` from crates/horse-trust/src/contract, with its comments.\n");
    for name in needed {
        entry(&mut text, 4, name, &definitions.schemas[name]);
    }
    text
}

/// `key: value`, on one line if it fits.
fn entry(text: &mut String, indent: usize, key: &str, value: &Value) {
    let key = scalar(key, true);
    text.push_str(&format!("{:indent$}{key}:", ""));
    let line = flow(value);
    if indent + key.len() + 2 + line.len() <= WIDTH || !is_long(value) {
        let line = value.as_str().map_or(line, |plain| scalar(plain, false));
        return text.push_str(&format!(" {line}\n"));
    }
    match value {
        Value::String(long) => {
            text.push_str(" >-\n");
            fold(text, indent + 2, long);
        }
        Value::Array(items) => {
            text.push('\n');
            for value in items {
                item(text, indent + 2, value);
            }
        }
        _ => {
            text.push('\n');
            block(text, indent + 2, value);
        }
    }
}

fn is_long(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Array(_) | Value::Object(_))
}

/// An object, a line or more for each of its entries.
fn block(text: &mut String, indent: usize, value: &Value) {
    for (key, value) in value.as_object().into_iter().flat_map(ordered) {
        if key == "properties" {
            continue;
        }
        entry(text, indent, key, value);
    }
    let fields = properties(value);
    if !fields.is_empty() {
        text.push_str(&format!("{:indent$}properties:\n", ""));
        for (name, schema, _) in fields {
            entry(text, indent + 2, name, schema);
        }
    }
}

/// `- value`.
fn item(text: &mut String, indent: usize, value: &Value) {
    let line = flow(value);
    if indent + 2 + line.len() <= WIDTH || !value.is_object() {
        return text.push_str(&format!("{:indent$}- {line}\n", ""));
    }
    let begin = text.len();
    block(text, indent + 2, value);
    text.replace_range(begin + indent..=begin + indent, "-");
}

/// The value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text, true),
        Value::Array(values) => format!("[{}]", values.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let others = ordered(fields)
                .filter(|(key, _)| *key != "properties")
                .map(|(key, value)| format!("{}: {}", scalar(key, true), flow(value)));
            let fields =
                properties(value).into_iter().map(|(key, value, _)| format!("{key}: {}", flow(value)));
            let fields = fields.collect::<Vec<_>>().join(", ");
            let fields = (!fields.is_empty()).then(|| format!("properties: {{{fields}}}"));
            format!("{{{}}}", others.chain(fields).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text, in quotes where YAML would read something else.
fn scalar(text: &str, is_in_flow: bool) -> String {
    let is_word =
        !["true", "false", "null", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    let begins_plain = text.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '$');
    let is_plain = |part: &str| !text.contains(part);
    let ends_plain = !text.ends_with([':', ' ']);
    let for_flow = !is_in_flow || !text.contains([',', '[', ']', '{', '}']);
    if is_word && begins_plain && ends_plain && is_plain(": ") && is_plain(" #") && for_flow {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// A long text on several lines, which YAML joins by spaces.
fn fold(text: &mut String, indent: usize, long: &str) {
    let mut width = WIDTH + 1;
    for word in long.split(' ') {
        let length = word.chars().count();
        if width + 1 + length > WIDTH {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&format!("{:indent$}{word}", ""));
            width = indent + length;
        } else {
            text.push_str(&format!(" {word}"));
            width += 1 + length;
        }
    }
    text.push('\n');
}
