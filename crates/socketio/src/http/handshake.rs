//! A request's query, and what it asks for: open, poll, upgrade, or a coded error.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Method, header};

use crate::config::Config;
use crate::engine::frame::Frame;

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
    for (key, value) in query_pairs(query) {
        // As in `URLSearchParams` made into an object, the last of several counts.
        match &*key {
            "transport" => transport = Some(value),
            "sid" => sid = Some(value),
            "EIO" => version = Some(value),
            _ => {}
        }
    }
    let transport = match transport.as_deref() {
        Some("polling") => TransportName::Polling,
        Some("websocket") => TransportName::WebSocket,
        _ => return Err(HandshakeError::UnknownTransport),
    };
    if let Some(sid) = sid.filter(|sid| !sid.is_empty()) {
        return Ok(Request::Existing(transport, sid));
    }
    if method != Method::GET {
        return Err(HandshakeError::BadHandshakeMethod);
    }
    if (transport == TransportName::WebSocket) != is_upgrade {
        return Err(HandshakeError::BadRequest);
    }
    if version.as_deref() != Some("4") {
        return Err(HandshakeError::UnsupportedProtocolVersion);
    }
    Ok(Request::Open(transport))
}

/// The names and values of a query (WHATWG URL, "application/x-www-form-urlencoded parsing").
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decode(key), form_decode(value))
    })
}

/// Whether the client wants binary packets in text form over WebSocket, too (`forceBase64` of the official client).
pub(crate) fn is_text_only(query: &str) -> bool {
    query_pairs(query).any(|(key, value)| key == "b64" && !value.is_empty())
}

/// Undoes `%2D` and the like, and `+` for a space.
fn form_decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
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
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether the headers ask for a WebSocket (RFC 6455, section 4.2.1).
pub(crate) fn is_websocket_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade") && has_token(headers, header::UPGRADE, "websocket")
}

/// The subprotocol to answer with: the first that is offered, as the official server's `ws` does, because clients that
/// offer some give up when none is taken (RFC 6455, section 4.1). An offer that is no list of tokens is an error.
pub(crate) fn subprotocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, HandshakeError> {
    let Some(offer) = headers.get(header::SEC_WEBSOCKET_PROTOCOL) else { return Ok(None) };
    let first = offer.to_str().ok().and_then(|offer| offer.split(',').next()).unwrap_or("").trim();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if first.is_empty() || !first.bytes().all(is_token) {
        return Err(HandshakeError::BadRequest);
    }
    HeaderValue::from_str(first).map(Some).map_err(|_| HandshakeError::BadRequest)
}

/// Whether the client's library stops reading at a WebSocket close frame without telling the client, which then
/// notices nothing until its ping timeout, not even the end of the TCP connection. `OkHttp` does so, unless the
/// application overrides `onClosing`; the official Java client does not. The end of the TCP connection alone it sees at
/// once.
pub(crate) fn misses_close_frames(headers: &HeaderMap) -> bool {
    headers.get(header::USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"okhttp/"))
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
        assert_eq!(get("E%49O=%34&&transport=poll%69ng&x"), Ok(Request::Open(TransportName::Polling)));
        assert_eq!(
            get("transport=websocket&EIO=3&EIO=4&transport=polling"),
            Ok(Request::Open(TransportName::Polling))
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
    fn names_and_values_of_a_query_are_decoded() {
        let pairs: Vec<_> = query_pairs("a=b+c&%C3%A9=%F0%9F%90%B4&x&=y&&z=1=2&b64=1").collect();
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(
            pairs,
            [("a", "b c"), ("\u{e9}", "\u{1f434}"), ("x", ""), ("", "y"), ("z", "1=2"), ("b64", "1")]
        );
        assert!(is_text_only("b64=1") && !is_text_only("b64=") && !is_text_only("a=b64"));
    }

    #[test]
    fn the_first_subprotocol_is_taken() {
        let answer = |offer: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(offer))]);
            subprotocol(&headers).map(|taken| taken.expect("one was offered").to_str().unwrap().to_owned())
        };
        assert_eq!(subprotocol(&HeaderMap::new()), Ok(None));
        assert_eq!(answer("chat").as_deref(), Ok("chat"));
        assert_eq!(answer("v12.stomp , chat").as_deref(), Ok("v12.stomp"));
        for bad in ["", ",chat", "a b", "(chat)"] {
            assert_eq!(answer(bad), Err(HandshakeError::BadRequest), "{bad:?}");
        }
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
