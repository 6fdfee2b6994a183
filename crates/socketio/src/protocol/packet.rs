//! Socket.IO packets as clients send them. Parsing only; [`crate::protocol::encode`] builds what the server sends.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::engine::packet::InvalidPacket;

/// The greatest acknowledgement id: the greatest integer that JavaScript holds exactly.
const MAX_ACKNOWLEDGEMENT_ID: u64 = (1 << 53) - 1;

/// Event names that the protocol keeps for itself.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// The arguments of an event or acknowledgement, each still JSON.
pub(crate) type Arguments<'a> = SmallVec<[&'a RawValue; 4]>;

/// A Socket.IO packet.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    /// `/` unless the client names another.
    pub(crate) namespace: &'a str,
    pub(crate) content: Content<'a>,
}

/// What a Socket.IO packet says.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// `0`, with the handshake's auth if there is one.
    Connect(Option<&'a RawValue>),
    /// `1`
    Disconnect,
    /// `2` and `5`
    Event { id: Option<u64>, name: Cow<'a, str>, arguments: Arguments<'a>, attachments: usize },
    /// `3` and `6`
    Acknowledgement { id: u64, arguments: Arguments<'a>, attachments: usize },
    /// `4`: only a server may send it.
    ConnectError,
}

/// Bounds of a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) attachments: usize,
    pub(crate) nesting: usize,
    pub(crate) event_name: usize,
}

impl<'a> Packet<'a> {
    /// Parses `<type>[<attachments>-][<namespace>,][<id>][<JSON>]` (Socket.IO protocol, "Packet encoding").
    pub(crate) fn parse(text: &'a str, limits: Limits) -> Result<Self, InvalidPacket> {
        let kind = *text.as_bytes().first().ok_or(InvalidPacket("an empty message"))?;
        if !kind.is_ascii_digit() || kind > b'6' {
            return Err(InvalidPacket("an unknown Socket.IO packet type"));
        }
        let mut rest = &text[1..];
        let mut attachments = 0;
        if kind == b'5' || kind == b'6' {
            let (count, after) = rest
                .split_once('-')
                .ok_or(InvalidPacket("a binary packet without a number of attachments"))?;
            attachments = parse_count(count).ok_or(InvalidPacket("an invalid number of attachments"))?;
            if attachments > limits.attachments {
                return Err(InvalidPacket("too many attachments"));
            }
            rest = after;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            let end = rest.find(',').unwrap_or(rest.len());
            namespace = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or("");
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, data) = rest.split_at(digits);
        let id = if id.is_empty() {
            None
        } else {
            let id = id.parse().ok().filter(|id| *id <= MAX_ACKNOWLEDGEMENT_ID);
            Some(id.ok_or(InvalidPacket("an acknowledgement id that is too great"))?)
        };
        check_nesting(data, limits.nesting)?;
        let content = match kind {
            b'0' => Content::Connect(parse_auth(data)?),
            b'1' if data.is_empty() => Content::Disconnect,
            b'2' | b'5' => {
                let mut arguments = parse_array(data)?;
                if arguments.is_empty() {
                    return Err(InvalidPacket("an event without a name"));
                }
                let name = parse_event_name(arguments.remove(0), limits.event_name)?;
                Content::Event { id, name, arguments, attachments }
            }
            b'3' | b'6' => {
                let id = id.ok_or(InvalidPacket("an acknowledgement without an id"))?;
                Content::Acknowledgement { id, arguments: parse_array(data)?, attachments }
            }
            b'4' => Content::ConnectError,
            _ => return Err(InvalidPacket("a DISCONNECT packet with data")),
        };
        Ok(Self { namespace, content })
    }
}

/// A decimal number without sign or leading spaces.
fn parse_count(text: &str) -> Option<usize> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

/// The data of a CONNECT packet: an object, or nothing.
fn parse_auth(data: &str) -> Result<Option<&RawValue>, InvalidPacket> {
    if data.is_empty() {
        return Ok(None);
    }
    let value: &RawValue =
        serde_json::from_str(data).map_err(|_| InvalidPacket("CONNECT data that is not JSON"))?;
    if value.get().starts_with('{') {
        Ok(Some(value))
    } else {
        Err(InvalidPacket("CONNECT data that is no object"))
    }
}

fn parse_event_name(name: &RawValue, limit: usize) -> Result<Cow<'_, str>, InvalidPacket> {
    let text = name.get();
    let name = match text.as_bytes()[0] {
        b'"' if !text.contains('\\') => Cow::Borrowed(&text[1..text.len() - 1]),
        b'"' => {
            serde_json::from_str(text).map_err(|_| InvalidPacket("an event name with half a character"))?
        }
        // The protocol allows a number; as in JavaScript it names the event by its digits.
        b'-' | b'0'..=b'9' => Cow::Borrowed(text),
        _ => return Err(InvalidPacket("an event name that is neither text nor number")),
    };
    if name.len() > limit {
        return Err(InvalidPacket("an event name that is too long"));
    }
    if RESERVED_EVENTS.contains(&&*name) {
        return Err(InvalidPacket("a reserved event name"));
    }
    Ok(name)
}

/// Splits a JSON array into its elements without looking into them further than JSON's grammar asks.
fn parse_array(data: &str) -> Result<Arguments<'_>, InvalidPacket> {
    struct Elements;
    impl<'de> Visitor<'de> for Elements {
        type Value = Arguments<'de>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
            let mut arguments = Arguments::new();
            while let Some(element) = elements.next_element()? {
                arguments.push(element);
            }
            Ok(arguments)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(data);
    let arguments =
        deserializer.deserialize_seq(Elements).map_err(|_| InvalidPacket("data that is no JSON array"))?;
    deserializer.end().map_err(|_| InvalidPacket("data after the JSON array"))?;
    Ok(arguments)
}

/// Refuses JSON that is nested deeper than `limit`, in one pass and without recursion.
fn check_nesting(data: &str, limit: usize) -> Result<(), InvalidPacket> {
    let mut depth = 0_usize;
    let mut bytes = data.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return Err(InvalidPacket("JSON that is nested too deep"));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => drop(bytes.next()),
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    Ok(())
}

/// Whether every placeholder in `arguments` names one of `attachments` (Socket.IO protocol, "Sending and
/// receiving data": `{"_placeholder":true,"num":n}`).
///
/// Checked here because a client that gets a wrong one from us takes it for our fault and disconnects.
pub(crate) fn placeholders_are_valid(arguments: &Arguments<'_>, attachments: usize) -> bool {
    fn check(value: &serde_json::Value, attachments: usize) -> bool {
        match value {
            serde_json::Value::Array(items) => items.iter().all(|item| check(item, attachments)),
            serde_json::Value::Object(fields) => {
                if fields.get("_placeholder") == Some(&serde_json::Value::Bool(true)) {
                    let number = fields.get("num").and_then(serde_json::Value::as_u64);
                    number
                        .and_then(|number| usize::try_from(number).ok())
                        .is_some_and(|number| number < attachments)
                } else {
                    fields.values().all(|field| check(field, attachments))
                }
            }
            _ => true,
        }
    }
    arguments.iter().all(|argument| {
        // Half a surrogate pair is no error of the placeholder; JSON that we can't read holds none.
        serde_json::Value::deserialize(*argument).map_or(true, |value| check(&value, attachments))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { attachments: 10, nesting: 5, event_name: 16 };

    fn event(text: &str) -> (String, Option<u64>, String, Vec<String>, usize) {
        let packet = Packet::parse(text, LIMITS).unwrap();
        match packet.content {
            Content::Event { id, name, arguments, attachments } => (
                packet.namespace.to_owned(),
                id,
                name.into_owned(),
                arguments.iter().map(|argument| argument.get().to_owned()).collect(),
                attachments,
            ),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn events_are_taken_apart() {
        assert_eq!(event(r#"2["hi"]"#), ("/".into(), None, "hi".into(), vec![], 0));
        assert_eq!(
            event(r#"212["hi",1, {"a":[]}]"#),
            ("/".into(), Some(12), "hi".into(), vec!["1".into(), r#"{"a":[]}"#.into()], 0)
        );
        assert_eq!(event(r#"2/x,3["hi"]"#), ("/x".into(), Some(3), "hi".into(), vec![], 0));
        assert_eq!(event(r#"52-/x,["hi",{"_placeholder":true,"num":0}]"#).4, 2);
        assert_eq!(event("2[7]").2, "7");
        assert_eq!(event(r#"2["h\u0069"]"#).2, "hi");
        assert_eq!(event(r#"2["a","\ud800"]"#).3, [r#""\ud800""#]);
    }

    #[test]
    fn connects_carry_an_object_or_nothing() {
        let auth = |text| match Packet::parse(text, LIMITS).map(|packet| packet.content) {
            Ok(Content::Connect(auth)) => Ok(auth.map(|auth| auth.get().to_owned())),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(auth("0"), Ok(None));
        assert_eq!(auth("0/x"), Ok(None));
        assert_eq!(auth("0/x,"), Ok(None));
        assert_eq!(auth(r#"0{"token":"1"}"#), Ok(Some(r#"{"token":"1"}"#.into())));
        for bad in ["0[]", "0null", "0\"a\"", "0{", "0{}x", "0abc"] {
            assert!(auth(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for bad in [
            "",
            "abc",
            "7",
            "9[]",
            "2",
            "2{}",
            "2[]",
            "2null",
            r#"2["a""#,
            r#"2["a"]x"#,
            r#"2abc["a"]"#,
            "2[true]",
            "2[{}]",
            r#"2["connect"]"#,
            r#"2["disconnecting"]"#,
            "2[\"0123456789abcdefg\"]",
            "3",
            "3[]",
            "31",
            "31{}",
            "1x",
            "5[\"a\"]",
            "5-[\"a\"]",
            "5x-[\"a\"]",
            "5+1-[\"a\"]",
            "511-[\"a\"]",
            "5-1-[\"a\"]",
            "299999999999999999[\"a\"]",
            "2[\"a\",[[[[[]]]]]]",
            r#"2["\ud800"]"#,
            "é",
        ] {
            assert!(Packet::parse(bad, LIMITS).is_err(), "{bad}");
        }
    }

    #[test]
    fn nesting_is_counted_outside_of_texts() {
        assert!(check_nesting(r#"[[["[[[[\"[[{{"]]]"#, 3).is_ok());
        assert!(check_nesting("[[[[]]]]", 3).is_err());
        assert!(check_nesting(&"[".repeat(1_000_000), 100).is_err());
    }

    #[test]
    fn placeholders_must_name_an_attachment() {
        let valid = |json: &str| placeholders_are_valid(&parse_array(json).unwrap(), 2);
        assert!(valid(r#"[1,{"_placeholder":true,"num":1}]"#));
        assert!(valid(r#"[{"_placeholder":false,"num":9}]"#));
        assert!(!valid(r#"[{"a":[{"_placeholder":true,"num":2}]}]"#));
        assert!(!valid(r#"[{"_placeholder":true,"num":-1}]"#));
        assert!(!valid(r#"[{"_placeholder":true}]"#));
    }
}
