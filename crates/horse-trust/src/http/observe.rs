//! Gives each request an id, a line in the log, and a place in the metrics.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use tracing::Instrument as _;

use super::address::client_address;
use crate::metrics::Metrics;

/// The engine's path, also without its last slash and with one too many, as some clients are configured.
pub(super) const ENGINE_PATHS: [&str; 3] = ["/socket.io/", "/socket.io", "/socket.io//"];

/// The header with a request's id, in the request and in its answer.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The greatest length of an id that a client may choose, in bytes.
const MAX_ID: usize = 128;
/// How many bytes of a path a log line contains; many lines may wait to be written.
const MAX_PATH: usize = 256;
/// Probes, which machines send every few seconds.
const PROBES: [&str; 4] = ["/health", "/health/db", "/ready", "/metrics"];

/// Gives the request an id, which its answer and all its log lines carry, and records status and duration.
pub(super) async fn observe(
    State(metrics): State<Arc<Metrics>>,
    mut request: Request,
    next: Next,
) -> Response {
    // Connections have ids of their own, and their requests are too many to log each.
    if ENGINE_PATHS.contains(&request.uri().path()) {
        let response = next.run(request).await;
        metrics.answered(response.status());
        return response;
    }
    let begin = Instant::now();
    let id = request.headers().get(REQUEST_ID).filter(|id| is_id(id)).cloned().unwrap_or_else(new_id);
    // Passed on to handlers and to upstream services.
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

/// Whether a client's id is safe in a log.
fn is_id(id: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    (1..=MAX_ID).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
}

fn new_id() -> HeaderValue {
    let random = getrandom::u64().unwrap_or_default();
    HeaderValue::from_str(&format!("{random:016x}")).expect("hexadecimal digits are valid in a header")
}
