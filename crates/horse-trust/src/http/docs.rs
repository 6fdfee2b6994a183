//! What clients send and get, as documents for machines: under `/docs/`.

use axum::Router;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use http::header;

/// Each document: its name under `/docs/`, its content type, and its text. Plain text is shown by browsers.
const DOCUMENTS: [(&str, &str, &str); 3] = [
    ("asyncapi.yaml", "application/yaml", include_str!("../../../../docs/api/asyncapi.yaml")),
    ("openapi.yaml", "application/yaml", include_str!("../../../../docs/api/openapi.yaml")),
    ("events.d.ts", "text/plain; charset=utf-8", include_str!("../../../../packages/events/index.d.ts")),
];

/// The routes of the documents.
pub(super) fn router() -> Router {
    let pages =
        Router::new().route("/docs", get(async || Redirect::permanent("/docs/"))).route("/docs/", get(page));
    DOCUMENTS.into_iter().fold(pages, |router, (name, kind, text)| {
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
        router.route(&format!("/docs/{name}"), get(async move || (headers, text)))
    })
}

async fn page() -> impl IntoResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-cache")];
    (headers, Html(include_str!("../../../../docs/api/index.html")))
}
