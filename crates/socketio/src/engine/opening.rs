//! What is kept of the request that opened a session.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, Request};

use crate::address::ClientAddress;
use crate::engine::query::{is_text_only, query_pairs};

/// What the engine itself keeps of it, and what the application does.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Where the client comes from.
    pub(crate) address: IpAddr,
    /// Whether the client wants binary packets in text form over WebSocket, too.
    pub(crate) is_text_only: bool,
    /// Present if [`Config::keep_handshakes`](crate::Config) says so.
    pub(crate) handshake: Option<Box<Handshake>>,
}

impl Opening {
    /// `now` is when the request came.
    pub(crate) fn of<B>(request: &Request<B>, keeps_handshake: bool, now: SystemTime) -> Self {
        let address = request
            .extensions()
            .get::<ClientAddress>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientAddress(address)| *address);
        let query = request.uri().query().unwrap_or("");
        Self {
            address,
            is_text_only: is_text_only(query),
            handshake: keeps_handshake.then(|| Box::new(Handshake::of(query, request.headers(), now))),
        }
    }
}

/// The request that opened a session: of the WebSocket, or the first of HTTP long-polling.
///
/// Both parts may hold credentials, so its `Debug` form shows neither.
#[derive(Clone)]
pub struct Handshake {
    query: Box<str>,
    headers: HeaderMap,
    time: SystemTime,
}

impl Handshake {
    fn of(query: &str, headers: &HeaderMap, time: SystemTime) -> Self {
        // Copied, because the originals hold the whole buffer that they were read into.
        let copy = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes()).expect("it was one");
        let headers = headers.iter().map(|(name, value)| (name.clone(), copy(value)));
        let mut copies = HeaderMap::with_capacity(headers.size_hint().0);
        headers.for_each(|(name, value)| {
            copies.append(name, value);
        });
        Self { query: query.into(), headers: copies, time }
    }

    /// The query as it came, without the question mark; the protocol's own parameters (`EIO`, `transport`, `t`) are
    /// in it.
    pub fn raw_query(&self) -> &str {
        &self.query
    }

    /// The names and values of the query, decoded, in their order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        query_pairs(&self.query)
    }

    /// The value of a parameter; of several the last.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_pairs().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// When it came.
    pub fn time(&self) -> SystemTime {
        self.time
    }
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Handshake").field("time", &self.time).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_application_sees_query_and_headers() {
        let request = Request::get("/socket.io/?EIO=4&a=1&a=2&%26b=c+d")
            .header("cookie", "a=1")
            .header("x-many", "1")
            .header("X-Many", "2")
            .body(())
            .unwrap();
        let opening = Opening::of(&request, true, SystemTime::UNIX_EPOCH);
        let handshake = opening.handshake.as_ref().unwrap();
        assert_eq!(handshake.query("a").as_deref(), Some("2"));
        assert_eq!(handshake.query("&b").as_deref(), Some("c d"));
        assert_eq!(handshake.query("c"), None);
        assert_eq!(handshake.raw_query(), "EIO=4&a=1&a=2&%26b=c+d");
        assert_eq!(handshake.headers()["cookie"], "a=1");
        assert_eq!(handshake.headers().get_all("x-many").iter().count(), 2);
        assert!(!format!("{opening:?}").contains("a=1"), "credentials do not get into a log");
        assert!(Opening::of(&request, false, SystemTime::UNIX_EPOCH).handshake.is_none());
    }
}
