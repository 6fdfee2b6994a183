//! The chat page at `/`, the moderation page at `/admin`, their assets, and the accounts of a demo.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
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

/// In the page's HTML: whether people sign in here with a password.
const WITH_ACCOUNTS: &str = "data-accounts=\"on\"";
const WITHOUT_ACCOUNTS: &str = "data-accounts=\"off\"";

/// The HTML of one of the two pages, and the tag that changes with it. The moderation page is everybody's: what it shows
/// comes from `/api/admin`, which lets in admins alone.
#[derive(Clone)]
struct Page {
    html: Bytes,
    tag: HeaderValue,
}

/// The routes of the pages.
pub(super) fn router(has_accounts: bool) -> Router {
    let [page, moderation] = ["index.html", "admin.html"].map(|name| Page::new(name, has_accounts));
    Router::new()
        .route("/", get(async move |headers: HeaderMap| page.answer(&headers)))
        .route("/admin", get(async move |headers: HeaderMap| moderation.answer(&headers)))
        .route("/assets/{name}", get(async |Path(name): Path<String>| asset(&name)))
        .route("/demo.json", get(demonstration))
}

fn file(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

impl Page {
    fn new(name: &str, has_accounts: bool) -> Self {
        let Some(document) = file(name) else {
            return Self { html: HOW_TO_BUILD.into(), tag: HeaderValue::from_static("\"none\"") };
        };
        if has_accounts {
            return Self { html: document.into(), tag: HeaderValue::from_static(TAG) };
        }
        let html = String::from_utf8_lossy(document).replacen(WITH_ACCOUNTS, WITHOUT_ACCOUNTS, 1);
        let tag = format!("\"without-accounts-{}", TAG.trim_start_matches('"'));
        Self { html: html.into(), tag: HeaderValue::try_from(tag).expect("a tag is plain text") }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
            value.to_str().is_ok_and(|value| {
                value
                    .split(',')
                    .any(|part| part.trim().trim_start_matches("W/").as_bytes() == self.tag.as_bytes())
            })
        });
        let mut response = if is_known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Html(self.html.clone()).into_response()
        };
        for (name, value) in PAGE_HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response.headers_mut().insert(header::ETAG, self.tag.clone());
        response
    }
}

const PAGE_HEADERS: [(HeaderName, &str); 3] = [
    // A window that opened the page, or that the page opened, has no access to it.
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::CACHE_CONTROL, "no-cache"),
];

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
