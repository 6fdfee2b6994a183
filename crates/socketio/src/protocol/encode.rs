//! Socket.IO packets as the server sends them: events, acknowledgements and control packets as finished frames.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::engine::frame::Frame;

/// What was to be sent has no form in JSON, for example a map whose keys are not texts.
#[derive(Debug, thiserror::Error)]
#[error("not to be written as JSON: {0}")]
pub struct EncodeError(#[from] serde_json::Error);

/// `data` as JSON.
pub(crate) fn json(data: &impl Serialize) -> Result<String, EncodeError> {
    Ok(serde_json::to_string(data)?)
}

/// An event of a namespace as frames: the text packet and its attachments.
///
/// `arguments` is the inside of a JSON array, without brackets; it may be empty.
pub(crate) fn event(
    namespace: &str,
    id: Option<u64>,
    name: &str,
    arguments: &str,
    offset: Option<&str>,
    attachments: usize,
) -> Frame {
    let mut text = String::with_capacity(namespace.len() + name.len() + arguments.len() + 48);
    text.push_str(if attachments == 0 { "42" } else { "45" });
    packet_head(&mut text, namespace, id, attachments);
    text.push('[');
    text.push_str(&serde_json::to_string(name).expect("a string always serializes"));
    if !arguments.is_empty() {
        text.push(',');
        text.push_str(arguments);
    }
    if let Some(offset) = offset {
        write!(text, ",\"{offset}\"").expect("writing to a string never fails");
    }
    text.push(']');
    Frame::text(&text)
}

/// An acknowledgement as a frame; `arguments` as in [`event`].
pub(crate) fn acknowledgement(namespace: &str, id: u64, arguments: &str, attachments: usize) -> Frame {
    let mut text = String::with_capacity(namespace.len() + arguments.len() + 32);
    text.push_str(if attachments == 0 { "43" } else { "46" });
    packet_head(&mut text, namespace, Some(id), attachments);
    text.push('[');
    text.push_str(arguments);
    text.push(']');
    Frame::text(&text)
}

/// A packet of `kind` (`40`, `41`, `44`) with JSON `data`, which may be empty.
pub(crate) fn packet(kind: &str, namespace: &str, data: &str) -> Frame {
    let mut text = String::with_capacity(namespace.len() + data.len() + 4);
    text.push_str(kind);
    packet_head(&mut text, namespace, None, 0);
    text.push_str(data);
    Frame::text(&text)
}

/// What stands between a packet's type and its data: `<attachments>-<namespace>,<id>`.
fn packet_head(text: &mut String, namespace: &str, id: Option<u64>, attachments: usize) {
    if attachments > 0 {
        write!(text, "{attachments}-").expect("writing to a string never fails");
    }
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(id) = id {
        write!(text, "{id}").expect("writing to a string never fails");
    }
}

/// JSON values as the inside of an array.
pub(crate) fn join(arguments: &[&RawValue]) -> String {
    let mut joined = String::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            joined.push(',');
        }
        joined.push_str(argument.get());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(frame: &Frame) -> &str {
        std::str::from_utf8(frame.payload()).unwrap()
    }

    #[test]
    fn packets_are_written_as_the_protocol_says() {
        assert_eq!(text(&event("/", None, "hi", "", None, 0)), r#"42["hi"]"#);
        assert_eq!(text(&event("/", Some(7), "a\"b", "1,2", None, 0)), r#"427["a\"b",1,2]"#);
        assert_eq!(text(&event("/x", None, "hi", "1", Some("0a"), 0)), r#"42/x,["hi",1,"0a"]"#);
        assert_eq!(text(&event("/x", None, "hi", "{}", None, 2)), r#"452-/x,["hi",{}]"#);
        assert_eq!(text(&acknowledgement("/", 12, "true", 0)), "4312[true]");
        assert_eq!(text(&packet("40", "/x", "{}")), "40/x,{}");
        assert_eq!(text(&packet("41", "/", "")), "41");
    }
}
