//! What is noted of each request: an id, a line in the log, a figure.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;

use super::address::client_address;
use crate::metrics::Metrics;

/// Where the engine is: its path as clients are set up with it, also without its last slash or with one too many.
pub(super) const ENGINE_PATHS: [&str; 3] = ["/socket.io/", "/socket.io", "/socket.io//"];

/// The header that has a request's id, in the request and in its answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The greatest length of an id that is taken from a request.
const MAX_ID: usize = 128;
/// How many bytes of a path are in a line of the log, of which many may wait to be written.
const MAX_PATH: usize = 256;
/// What is asked every few seconds by machines.
const PROBES: [&str; 4] = ["/health", "/health/db", "/ready", "/metrics"];

/// Gives the request an id, which its answer and all its log lines carry, and notes how it went.
pub(super) async fn observe(
    State(metrics): State<Arc<Metrics>>,
    mut request: Request,
    next: Next,
) -> Response {
    // Connections have an id of their own, and their requests are too many for a line each.
    if ENGINE_PATHS.contains(&request.uri().path()) {
        let response = next.run(request).await;
        metrics.answered(response.status());
        return response;
    }
    let begin = Instant::now();
    let id = request.headers().get(REQUEST_ID).filter(|id| is_id(id)).cloned().unwrap_or_else(new_id);
    // So that whoever is asked next gets the same.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let span = tracing::error_span!("request", id = id.to_str().unwrap_or_default());
    let (method, path) = (request.method().clone(), shown(request.uri().path()).to_owned());
    let address = client_address(request.extensions());
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    response.headers_mut().insert(REQUEST_ID, id);
    metrics.answered(status);
    metrics.request_took(begin);
    let milliseconds = begin.elapsed().as_secs_f64() * 1e3;
    let _entered = span.enter();
    if PROBES.contains(&path.as_str()) {
        tracing::debug!(%method, path, status = status.as_u16(), milliseconds, %address, "request");
    } else {
        tracing::info!(%method, path, status = status.as_u16(), milliseconds, %address, "request");
    }
    response
}

/// The beginning of a path, which is ASCII, as the log shows it.
fn shown(path: &str) -> &str {
    path.get(..MAX_PATH).unwrap_or(path)
}

/// Whether an id of a client is one that can do no harm in a log.
fn is_id(id: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    (1..=MAX_ID).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
}

fn new_id() -> HeaderValue {
    let random = getrandom::u64().unwrap_or_default();
    HeaderValue::from_str(&format!("{random:016x}")).expect("hexadecimal digits are valid in a header")
}
