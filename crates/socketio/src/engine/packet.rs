//! Engine.IO packets in text form: those of clients, and the first of the server.

use crate::config::Config;
use crate::engine::frame::Frame;

/// Separates packets in a polling body (Engine.IO protocol, section "HTTP long-polling").
pub(crate) const SEPARATOR: u8 = 0x1e;

/// What was sent is not a packet. The text says what is wrong with it, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidPacket(pub(crate) &'static str);

/// An Engine.IO packet in text form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EnginePacket<'a> {
    /// `1`: the client closes the session.
    Close,
    /// `2`: only as a probe of an upgrade.
    Ping(&'a str),
    /// `3`: the answer to a ping.
    Pong(&'a str),
    /// `4`: a message.
    Message(&'a str),
    /// `5`: completes an upgrade.
    Upgrade,
    /// `0` and `6`: nothing to do.
    Noop,
}

impl<'a> EnginePacket<'a> {
    /// Parses a packet: a type digit and data.
    pub(crate) fn parse(text: &'a str) -> Result<Self, InvalidPacket> {
        let mut characters = text.chars();
        let kind = characters.next().ok_or(InvalidPacket("an empty packet"))?;
        let data = characters.as_str();
        Ok(match kind {
            '0' | '6' => Self::Noop,
            '1' => Self::Close,
            '2' => Self::Ping(data),
            '3' => Self::Pong(data),
            '4' => Self::Message(data),
            '5' => Self::Upgrade,
            _ => return Err(InvalidPacket("an unknown Engine.IO packet type")),
        })
    }
}

/// The first packet of a session (Engine.IO protocol, "Handshake").
pub(crate) fn open_packet(sid: &str, is_polling: bool, config: &Config) -> Frame {
    let upgrades = if is_polling { r#"["websocket"]"# } else { "[]" };
    Frame::text(&format!(
        r#"0{{"sid":"{sid}","upgrades":{upgrades},"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        config.ping_interval.as_millis(),
        config.ping_timeout.as_millis(),
        config.max_payload,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_by_their_first_character() {
        assert_eq!(EnginePacket::parse("4hello"), Ok(EnginePacket::Message("hello")));
        assert_eq!(EnginePacket::parse("2probe"), Ok(EnginePacket::Ping("probe")));
        assert_eq!(EnginePacket::parse("3"), Ok(EnginePacket::Pong("")));
        for bad in ["", "7", "abc", "é", "b"] {
            assert!(EnginePacket::parse(bad).is_err(), "{bad}");
        }
    }
}
