//! Socket.IO 5 packets over Engine.IO 4, as far as a chat client meets them.
//!
//! What arrives is scanned, not parsed into a tree: the load generator shares the machine with the server, and
//! what it spends is taken from the server's share. The texts that it sends hold no character that JSON escapes,
//! which makes the scan exact.

/// A packet from the server; `arguments` and the like are JSON, still as text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// Engine.IO's greeting.
    Open,
    /// Engine.IO's heartbeat; wants a pong.
    Ping,
    /// Socket.IO's CONNECT with its data.
    Connected(&'a str),
    /// Socket.IO's `CONNECT_ERROR` with its data.
    Refused(&'a str),
    /// An event: its name, and everything from the comma before its first argument to the closing bracket.
    Event { name: &'a str, arguments: &'a str },
    /// An acknowledgement: its number, and its arguments.
    Acknowledgement { number: u64, arguments: &'a str },
    /// Socket.IO's DISCONNECT or Engine.IO's close.
    Disconnected,
    /// Anything else.
    Other(&'a str),
}

/// Takes one Engine.IO packet apart.
pub(crate) fn parse(text: &str) -> Packet<'_> {
    parse_known(text).unwrap_or(Packet::Other(text))
}

fn parse_known(text: &str) -> Option<Packet<'_>> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "0" => Some(Packet::Open),
        "1" => Some(Packet::Disconnected),
        "2" if rest.is_empty() => Some(Packet::Ping),
        "4" => parse_message(rest),
        _ => None,
    }
}

fn parse_message(text: &str) -> Option<Packet<'_>> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "0" => Some(Packet::Connected(rest)),
        "1" => Some(Packet::Disconnected),
        "2" => {
            let (name, arguments) = rest.strip_prefix("[\"")?.split_once('"')?;
            Some(Packet::Event { name, arguments })
        }
        "3" => {
            let digits = rest.find('[')?;
            let number = rest[..digits].parse().ok()?;
            Some(Packet::Acknowledgement { number, arguments: &rest[digits..] })
        }
        "4" => Some(Packet::Refused(rest)),
        _ => None,
    }
}

/// The value of the first field `name` in `json`, if it is a string; escapes stay as they are.
pub(crate) fn string_field<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = json;
    loop {
        let start = rest.find(name)? + name.len();
        let is_key = rest[..start - name.len()].ends_with('"');
        rest = &rest[start..];
        if is_key && let Some(value) = rest.strip_prefix("\":\"") {
            return Some(&value[..value.find('"')?]);
        }
    }
}

/// Whether the acknowledgement says that it worked.
pub(crate) fn is_success(arguments: &str) -> bool {
    arguments.contains("\"success\":true")
}

/// The offset of connection state recovery: a string behind the arguments of the contract, which are objects.
pub(crate) fn recovery_offset(arguments: &str) -> Option<&str> {
    let (_, offset) = arguments.strip_suffix("\"]")?.rsplit_once("},\"")?;
    Some(offset)
}

/// `send_message` with an acknowledgement.
pub(crate) fn send_message(out: &mut String, number: u64, conversation: &str, text: &str) {
    out.clear();
    out.push_str("42");
    push_number(out, number);
    out.push_str("[\"send_message\",{\"conversation_id\":\"");
    out.push_str(conversation);
    out.push_str("\",\"text\":\"");
    out.push_str(text);
    out.push_str("\"}]");
}

/// `join_conversation` with an acknowledgement.
pub(crate) fn join_conversation(number: u64, conversation: &str) -> String {
    format!("42{number}[\"join_conversation\",\"{conversation}\"]")
}

fn push_number(out: &mut String, number: u64) {
    use std::fmt::Write as _;
    write!(out, "{number}").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_told_apart() {
        assert_eq!(parse("0{\"sid\":\"x\"}"), Packet::Open);
        assert_eq!(parse("2"), Packet::Ping);
        assert_eq!(parse("40{\"sid\":\"x\"}"), Packet::Connected("{\"sid\":\"x\"}"));
        assert_eq!(parse("44{\"message\":\"no\"}"), Packet::Refused("{\"message\":\"no\"}"));
        let event = Packet::Event { name: "new_message", arguments: ",{\"a\":1}]" };
        assert_eq!(parse("42[\"new_message\",{\"a\":1}]"), event);
        let acknowledgement = Packet::Acknowledgement { number: 17, arguments: "[{\"success\":true}]" };
        assert_eq!(parse("4317[{\"success\":true}]"), acknowledgement);
        assert_eq!(parse("41"), Packet::Disconnected);
        for odd in ["", "9", "42", "42[", "43x[]", "é", "4é", "2probe"] {
            assert_eq!(parse(odd), Packet::Other(odd));
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let json =
            r#",{"_id":"1","sender_id":{"_id":"2","full_name":"text"},"text":"a5 hello","is_read":false}]"#;
        assert_eq!(string_field(json, "text"), Some("a5 hello"));
        assert_eq!(string_field(json, "_id"), Some("1"));
        assert_eq!(string_field(json, "id"), None);
        assert_eq!(string_field(json, "is_read"), None);
    }

    #[test]
    fn the_recovery_offset_is_the_last_argument_if_it_is_a_string() {
        assert_eq!(recovery_offset(r#",{"text":"a"},"abc-1"]"#), Some("abc-1"));
        assert_eq!(recovery_offset(r#",{"text":"a"}]"#), None);
    }

    #[test]
    fn sent_packets_are_what_the_official_client_sends() {
        let mut out = String::from("left over");
        send_message(&mut out, 3, "c1", "hello");
        assert_eq!(out, r#"423["send_message",{"conversation_id":"c1","text":"hello"}]"#);
        assert_eq!(join_conversation(0, "c1"), r#"420["join_conversation","c1"]"#);
    }
}
