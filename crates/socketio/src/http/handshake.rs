//! A request's query, and what it asks for: open, poll, upgrade, or a coded error.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Method, header};

use crate::engine::query::query_pairs;

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
