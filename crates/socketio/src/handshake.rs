//! A request's query, and what it asks for: open, poll, upgrade, or a coded error.

use std::borrow::Cow;

use http::{HeaderMap, Method, header};

use crate::config::Config;
use crate::frame::Frame;

/// The errors of the Engine.IO protocol with the official server's codes and texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("Transport unknown")]
    UnknownTransport,
    #[error("Session ID unknown")]
    UnknownSid,
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    #[error("Bad request")]
    BadRequest,
    #[error("Unsupported protocol version")]
    UnsupportedProtocolVersion,
}

impl HandshakeError {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::UnsupportedProtocolVersion => 5,
        }
    }
}

/// What carries, or shall carry, a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransportName {
    Polling,
    WebSocket,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request<'a> {
    Open(TransportName),
    Existing(TransportName, Cow<'a, str>),
}

/// Reads the query; `is_upgrade` is whether the request asks for a WebSocket.
///
/// The checks come in the official server's order: transport, session, method, version. That a session is
/// known and its transport fits is checked by the caller, who has the sessions.
pub(crate) fn parse<'a>(
    method: &Method,
    query: &'a str,
    is_upgrade: bool,
) -> Result<Request<'a>, HandshakeError> {
    let (mut transport, mut sid, mut version) = (None, None, None);
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // As in `URLSearchParams` made into an object, the last of several counts.
        match key {
            "transport" => transport = Some(value),
            "sid" => sid = Some(value),
            "EIO" => version = Some(value),
            _ => {}
        }
    }
    let transport = match transport {
        Some("polling") => TransportName::Polling,
        Some("websocket") => TransportName::WebSocket,
        _ => return Err(HandshakeError::UnknownTransport),
    };
    if let Some(sid) = sid.filter(|sid| !sid.is_empty()) {
        return Ok(Request::Existing(transport, percent_decode(sid)));
    }
    if method != Method::GET {
        return Err(HandshakeError::BadHandshakeMethod);
    }
    if (transport == TransportName::WebSocket) != is_upgrade {
        return Err(HandshakeError::BadRequest);
    }
    if version != Some("4") {
        return Err(HandshakeError::UnsupportedProtocolVersion);
    }
    Ok(Request::Open(transport))
}

/// Undoes `%2D` and the like; our session ids hold nothing that a client has to escape, but it may.
fn percent_decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the headers ask for a WebSocket (RFC 6455, section 4.2.1).
pub(crate) fn is_websocket_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade") && has_token(headers, header::UPGRADE, "websocket")
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
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
    fn queries_ask_for_what_they_say() {
        let get = |query| parse(&Method::GET, query, false);
        assert_eq!(get("EIO=4&transport=polling"), Ok(Request::Open(TransportName::Polling)));
        assert_eq!(get("t=x&transport=polling&EIO=4&sid="), Ok(Request::Open(TransportName::Polling)));
        assert_eq!(
            get("EIO=4&transport=polling&sid=a%2Db%zz"),
            Ok(Request::Existing(TransportName::Polling, "a-b%zz".into()))
        );
        assert_eq!(
            parse(&Method::GET, "EIO=4&transport=websocket", true),
            Ok(Request::Open(TransportName::WebSocket))
        );
    }

    #[test]
    fn errors_have_the_official_codes() {
        let code =
            |method: &Method, query, upgrade| parse(method, query, upgrade).map_err(HandshakeError::code);
        assert_eq!(code(&Method::GET, "", false), Err(0));
        assert_eq!(code(&Method::GET, "EIO=4&transport=tube", false), Err(0));
        assert_eq!(code(&Method::POST, "EIO=4&transport=polling", false), Err(2));
        assert_eq!(code(&Method::GET, "EIO=4&transport=websocket", false), Err(3));
        assert_eq!(code(&Method::GET, "EIO=4&transport=polling", true), Err(3));
        assert_eq!(code(&Method::GET, "EIO=3&transport=polling", false), Err(5));
        assert_eq!(code(&Method::GET, "transport=polling", false), Err(5));
    }

    #[test]
    fn upgrades_are_seen_whatever_the_case() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", "keep-alive, Upgrade".parse().unwrap());
        headers.insert("upgrade", "WebSocket".parse().unwrap());
        assert!(is_websocket_upgrade(&headers));
        headers.remove("upgrade");
        assert!(!is_websocket_upgrade(&headers));
    }
}
