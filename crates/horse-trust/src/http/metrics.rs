//! Metrics for Prometheus, for operators alone.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, header};

use super::address::client_address;
use super::error::ApiError;
use super::state::AppState;
use crate::config::Secret;

/// Headers that proxies add, which show that the client is on another machine.
const FORWARDED: [&str; 4] = ["x-forwarded-for", "x-real-ip", "forwarded", "via"];

/// The route of the figures, those of `engine` included.
pub(super) fn router(engine: socketio::Server) -> Router<AppState> {
    Router::new().route("/metrics", get(metrics)).layer(Extension(engine))
}

async fn metrics(
    State(state): State<AppState>,
    Extension(engine): Extension<socketio::Server>,
    request: axum::extract::Request,
) -> Response {
    let is_local = client_address(request.extensions()).is_loopback()
        && FORWARDED.iter().all(|name| !request.headers().contains_key(*name));
    let may_see = match &state.metrics_token {
        Some(token) => has_token(request.headers(), token),
        None => is_local,
    };
    // The answer does not reveal that the route exists.
    if !may_see {
        return ApiError::RouteNotFound.into_response();
    }
    let (text, content_type) = state.metrics.render(&engine);
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

fn has_token(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let (Some(given), expected) =
        (given.and_then(|value| value.strip_prefix(b"Bearer ")), token.expose().as_bytes())
    else {
        return false;
    };
    // Compares all bytes, so that the time reveals nothing about how many match.
    let differences = given.iter().zip(expected).fold(0, |differences, (a, b)| differences | (a ^ b));
    given.len() == expected.len() && differences == 0
}
