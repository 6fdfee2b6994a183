//! Bounds the bytes of answers that clients have not read yet.
//!
//! An answer stays in memory until its client has read it; a page of history is up to a megabyte, a long list several. A
//! client with many connections that reads none of its answers could otherwise fill the memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use super::address::client_address;
use super::error::ApiError;

/// Bytes of answers that are held for all.
const MAX_HELD: usize = 128 * 1024 * 1024;
/// Bytes of answers that are held for one address.
const MAX_HELD_PER_ADDRESS: usize = 32 * 1024 * 1024;
/// Bytes that each address may have even when the total is reached: a page of history.
const LEAST_SHARE: usize = 256 * 1024;
/// A shorter answer is not counted: it takes no more than the request did.
const SHORT: u64 = 16 * 1024;
/// Seconds after which a client may ask again.
const RETRY_AFTER: u64 = 1;

/// Marks an answer that is counted: routes that compress theirs count them before.
#[derive(Clone, Copy)]
struct IsCounted;

/// The answers that are on their way.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Counts an answer until it is taken, or its connection ends; refuses it if there are too many.
pub(super) async fn count(State(answers): State<Answers>, request: Request, next: Next) -> Response {
    let address = client_address(request.extensions());
    let response = next.run(request).await;
    // Answers of routes are whole; what were not, would not be in memory.
    let is_short = response.body().size_hint().exact().is_none_or(|length| length <= SHORT);
    if is_short || response.extensions().get::<IsCounted>().is_some() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.extensions.insert(IsCounted);
    let bytes = match to_bytes(body, usize::MAX).await {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "an answer could not be read");
            return ApiError::Internal.into_response();
        }
    };
    match answers.hold(address, bytes) {
        Some(bytes) => Response::from_parts(parts, Body::from(bytes)),
        None => {
            tracing::info!(%address, "an answer was refused: too many wait to be taken");
            ApiError::TooMany("Too many answers wait to be taken", RETRY_AFTER).into_response()
        }
    }
}

impl Answers {
    /// Counts `bytes` until they are dropped; `None` if there are too many.
    fn hold(&self, address: IpAddr, bytes: Bytes) -> Option<Bytes> {
        let mut held = self.0.lock();
        let own = held.by_address.get(&address).copied().unwrap_or(0);
        let of_address = own + bytes.len();
        // A single answer that exceeds the share is still sent.
        let is_over_share = own > 0 && of_address > MAX_HELD_PER_ADDRESS;
        // An address that holds little is not refused because others hold much.
        let is_over_all = held.all + bytes.len() > MAX_HELD && of_address > LEAST_SHARE;
        if is_over_share || is_over_all {
            return None;
        }
        held.all += bytes.len();
        held.by_address.insert(address, of_address);
        drop(held);
        Some(Bytes::from_owner(Answer { bytes, address, answers: self.clone() }))
    }
}

/// An answer that is on its way.
struct Answer {
    bytes: Bytes,
    address: IpAddr,
    answers: Answers,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut held = self.answers.0.lock();
        held.all -= self.bytes.len();
        if let Some(own) = held.by_address.get_mut(&self.address) {
            *own -= self.bytes.len();
            if *own == 0 {
                held.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let answers = Answers::default();
        let [here, there]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let of = |address, length| answers.hold(address, vec![0; length].into());
        let first = of(here, MAX_HELD_PER_ADDRESS).unwrap();
        assert!(of(here, MIB).is_none());
        assert!(of(there, MIB).is_some(), "another has a share of its own");
        let part = first.slice(1..2);
        drop(first);
        assert!(of(here, MIB).is_none(), "a part of it is still there");
        drop(part);
        assert!(of(here, MIB).is_some());
        let held = answers.0.lock();
        assert_eq!((held.all, held.by_address.len()), (0, 0));
    }

    #[test]
    fn many_addresses_have_a_bound_together() {
        let answers = Answers::default();
        let address = |number: u8| IpAddr::from([192, 0, 2, number]);
        let hold = |number| answers.hold(address(number), vec![0; 16 * MIB].into());
        let eight: Vec<_> = (0..8).map_while(hold).collect();
        assert_eq!(eight.len(), 8);
        assert!(hold(9).is_none());
        assert!(answers.hold(address(10), vec![0; LEAST_SHARE].into()).is_some(), "who has little is served");
        drop(eight);
        assert!(hold(9).is_some());
    }
}
