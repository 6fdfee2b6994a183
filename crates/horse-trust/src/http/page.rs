//! The chat page at `/`, the moderation page at `/admin`, their assets, and the accounts of a demo.

use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::demo;

// `FILES: &[(name, bytes)]`, empty if the page was not built when this was, and `TAG`, quoted.
include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// Served in place of the page by a build without it.
const HOW_TO_BUILD: &str = include_str!("../../assets/index.html");

/// Scripts and styles come from files of ours alone; pictures of people from where their profiles say. `'self'` is the
/// WebSocket of the page's own host, too (CSP level 3, section 6.7.2.8), so that no script could send elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; \
    connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// The routes of the page.
pub(super) fn router() -> Router {
    Router::new()
        .route("/", get(async |headers: HeaderMap| page("index.html", &headers)))
        .route("/admin", get(async |headers: HeaderMap| page("admin.html", &headers)))
        .route("/assets/{name}", get(async |Path(name): Path<String>| asset(&name)))
        .route("/demo.json", get(demonstration))
}

fn file(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

/// One of the two pages. The moderation page is everybody's: what it shows comes from `/api/admin`, which lets in admins
/// alone.
fn page(name: &str, headers: &HeaderMap) -> Response {
    let Some(document) = file(name) else {
        return (page_headers("\"none\""), Html(HOW_TO_BUILD)).into_response();
    };
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.split(',').any(|part| part.trim().trim_start_matches("W/") == TAG))
    });
    if is_known {
        return (StatusCode::NOT_MODIFIED, page_headers(TAG)).into_response();
    }
    (page_headers(TAG), Html(document)).into_response()
}

fn page_headers(tag: &'static str) -> [(HeaderName, &'static str); 4] {
    [
        // A window that opened the page, or that the page opened, has no access to it.
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ETAG, tag),
    ]
}

/// A file whose name has a hash of its content, so that it never changes.
fn asset(name: &str) -> Response {
    let kind = match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => return ApiError::RouteNotFound.into_response(),
    };
    let Some(bytes) = file(name) else { return ApiError::RouteNotFound.into_response() };
    let headers =
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, bytes).into_response()
}

/// The demo's people, so that the page can let a visitor in as one of them; none on an ordinary server.
async fn demonstration() -> impl IntoResponse {
    let accounts = demo::ACCOUNTS.iter().map(|account| {
        json!({
            "id": account.id(),
            "full_name": account.name,
            "email": account.email,
            "password": account.password,
        })
    });
    let body = match demo::conversation() {
        Some(conversation) => {
            json!({"accounts": accounts.collect::<Vec<_>>(), "conversation_id": conversation})
        }
        None => json!({"accounts": Vec::<Value>::new()}),
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(body))
}
