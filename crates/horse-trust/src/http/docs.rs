//! What clients send and get, as documents for machines: under `/docs/`.

use axum::Router;
use axum::body::Bytes;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::get;
use http::header;

use crate::config::BasePath;

/// Each document: its name under `/docs/`, its content type, and its text. Plain text is shown by browsers.
const DOCUMENTS: [(&str, &str, &str); 3] = [
    ("asyncapi.yaml", "application/yaml", include_str!("../../../../docs/api/asyncapi.yaml")),
    ("openapi.yaml", "application/yaml", include_str!("../../../../docs/api/openapi.yaml")),
    ("events.d.ts", "text/plain; charset=utf-8", include_str!("../../../../packages/events/index.d.ts")),
];

/// What the documents say of where the server is, and what they say of one below a path: a URL that is relative to the
/// document's own in the first, the path of the engine in the second.
const SERVERS: [(&str, &str); 2] = [
    ("{url: 'http://127.0.0.1:3000',", "{url: 'BASE',"),
    ("pathname: /socket.io/,", "pathname: BASE/socket.io/,"),
];

/// The routes of the documents.
pub(super) fn router(base: &BasePath) -> Router {
    let index = format!("{}/docs/", base.as_str());
    let pages = Router::new()
        .route("/docs", get(async move || Redirect::permanent(&index)))
        .route("/docs/", get(page));
    DOCUMENTS.into_iter().fold(pages, |router, (name, kind, text)| {
        let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
        let text = below(base, text);
        router.route(&format!("/docs/{name}"), get(async move || (headers, text)))
    })
}

/// The document as a server below `base` serves it.
fn below(base: &BasePath, text: &'static str) -> Bytes {
    if base.as_str().is_empty() {
        return Bytes::from_static(text.as_bytes());
    }
    let replace = |text: String, (root, below): (&str, &str)| {
        text.replacen(root, &below.replace("BASE", base.as_str()), 1)
    };
    Bytes::from(SERVERS.into_iter().fold(text.to_owned(), replace))
}

async fn page() -> impl IntoResponse {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-cache")];
    (headers, Html(include_str!("../../../../docs/api/index.html")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_of_the_server_is_in_one_document() {
        for (root, _) in SERVERS {
            let count: usize = DOCUMENTS.iter().map(|(_, _, text)| text.matches(root).count()).sum();
            assert_eq!(count, 1, "{root}");
        }
    }
}
