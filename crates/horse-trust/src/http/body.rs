//! Bodies of requests, bounded in size and time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;

use super::address::client_address;
use super::admin::access::has_key;
use super::error::ApiError;
use super::extract::bearer_token;
use super::state::AppState;
use crate::contract::malformed;
use crate::store::Role;

/// The longest body, in bytes.
const MAX_BODY: usize = 100_000;
/// How many bytes of a longer body are read and discarded.
const MAX_DISCARDED: usize = 20_000_000;
/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest body without a token, of a login or a registration, in bytes.
const MAX_ANONYMOUS: usize = 8 * 1024;
/// The routes that take a body without a token.
const ANONYMOUS: [&str; 2] = ["/api/auth/login", "/api/auth/register"];
/// The longest body of a batch, in bytes.
const MAX_BATCH: usize = 4_000_000;
/// The routes that take a batch.
const BATCHES: [&str; 1] = ["/api/admin/users/batch"];
/// How many bytes of unfinished bodies one address may have, and all addresses together.
const HELD: [usize; 2] = [4 * 1024 * 1024, 64 * 1024 * 1024];

/// The bytes of unfinished bodies, by the sending address.
#[derive(Default)]
pub(super) struct Bodies {
    held: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

/// The bytes of one body; subtracted when it is dropped.
struct Held<'a> {
    bodies: &'a Bodies,
    address: IpAddr,
    bytes: usize,
}

impl Held<'_> {
    /// `false` if there is no room for `count` bytes more.
    fn add(&mut self, count: usize) -> bool {
        let mut held = self.bodies.held.lock();
        let (all, by_address) = &mut *held;
        let own = by_address.get(&self.address).copied().unwrap_or(0);
        if own + count > HELD[0] || *all + count > HELD[1] {
            return false;
        }
        *all += count;
        by_address.insert(self.address, own + count);
        self.bytes += count;
        true
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.bodies.held.lock();
        held.0 -= self.bytes;
        if let Some(own) = held.1.get_mut(&self.address) {
            *own -= self.bytes;
            if *own == 0 {
                held.1.remove(&self.address);
            }
        }
    }
}

/// Reads the whole body before the route is called. Without a valid token the body is discarded, except for logins and
/// registrations, because the route refuses the request anyway.
///
/// A client that is still writing loses an early answer: closing a connection with unread bytes resets it. So the body of
/// a refused request is read, too.
pub(super) async fn take_whole(
    State((state, bodies)): State<(AppState, Arc<Bodies>)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let limit = if ANONYMOUS.contains(&parts.uri.path()) {
        Some(MAX_ANONYMOUS)
    } else {
        let claims = bearer_token(&parts).and_then(|token| state.tokens.verify(&token).ok());
        let is_admin =
            claims.as_ref().is_some_and(|claims| claims.role == Role::Admin) || has_key(&parts, &state);
        let most = if is_admin && BATCHES.contains(&parts.uri.path()) { MAX_BATCH } else { MAX_BODY };
        (is_admin || claims.is_some()).then_some(most)
    };
    let address = socketio::network(client_address(&parts.extensions));
    let held = Held { bodies: &bodies, address, bytes: 0 };
    let body = read(body, limit, held).await?;
    Ok(next.run(Request::from_parts(parts, body.into())).await)
}

async fn read(body: Body, limit: Option<usize>, held: Held<'_>) -> Result<Bytes, ApiError> {
    let read = tokio::time::timeout(TIMEOUT, read_to_end(body, limit, held)).await;
    read.unwrap_or(Err(ApiError::Malformed(malformed::TOO_SLOW)))
}

/// Reads a body of at most `limit` bytes; without one it is thrown away.
async fn read_to_end(mut body: Body, limit: Option<usize>, mut held: Held<'_>) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0;
    let most = limit.unwrap_or(MAX_BODY);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::Malformed(malformed::UNREADABLE))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > MAX_DISCARDED {
            break;
        }
        if limit.is_some() && length <= most {
            if !held.add(data.len()) {
                return Err(ApiError::TooMany("Too many attempts", 1));
            }
            bytes.extend_from_slice(&data);
        }
    }
    if length > most { Err(ApiError::TooLarge) } else { Ok(bytes.into()) }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use tokio::time::{Instant, Sleep, sleep};

    use super::*;

    fn held(bodies: &Bodies) -> Held<'_> {
        Held { bodies, address: IpAddr::from([192, 0, 2, 7]), bytes: 0 }
    }

    #[tokio::test]
    async fn long_bodies_are_refused_and_those_of_strangers_not_kept() {
        let bodies = Bodies::default();
        let read = |length: usize, limit| read(vec![b' '; length].into(), limit, held(&bodies));
        assert_eq!(read(MAX_BODY, Some(MAX_BODY)).await.unwrap().len(), MAX_BODY);
        assert_eq!(read(MAX_BODY, None).await.unwrap().len(), 0);
        assert_eq!(read(MAX_ANONYMOUS + 1, Some(MAX_ANONYMOUS)).await, Err(ApiError::TooLarge));
        for length in [MAX_BODY + 1, MAX_DISCARDED + 1] {
            assert_eq!(read(length, Some(MAX_BODY)).await, Err(ApiError::TooLarge));
            assert_eq!(read(length, None).await, Err(ApiError::TooLarge));
        }
        assert_eq!(*bodies.held.lock(), (0, HashMap::new()));
    }

    #[test]
    fn one_address_leaves_room_for_the_bodies_of_others() {
        let bodies = Bodies::default();
        let (mut flood, mut another) = (held(&bodies), held(&bodies));
        assert!(flood.add(HELD[0]));
        assert!(!another.add(1));
        let mut other = Held { bodies: &bodies, address: IpAddr::from([192, 0, 2, 8]), bytes: 0 };
        assert!(other.add(MAX_BODY));
        drop(flood);
        assert!(another.add(1));
    }

    /// A body that brings a space every ten seconds, and never ends.
    struct Drip(Pin<Box<Sleep>>);

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::ready!(self.0.as_mut().poll(context));
            self.0 = Box::pin(sleep(Duration::from_secs(10)));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_cut_off() {
        let begin = Instant::now();
        let body = Body::new(Drip(Box::pin(sleep(Duration::ZERO))));
        let bodies = Bodies::default();
        let read = read(body, Some(MAX_BODY), held(&bodies)).await;
        assert_eq!(read, Err(ApiError::Malformed(malformed::TOO_SLOW)));
        assert_eq!(begin.elapsed().as_secs(), TIMEOUT.as_secs());
    }
}
