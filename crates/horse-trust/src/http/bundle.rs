//! The JavaScript client, as the Node server serves it: the bundles of the `socket.io-client` package.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, HeaderValue, StatusCode, header};

// `BUNDLE: &[(name, bytes)]`, empty if the package was not there when this was built, and `VERSION`.
include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// The names under `/socket.io/`.
const NAMES: [&str; 6] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
];

/// The routes of the client bundle.
pub(super) fn router() -> Router {
    NAMES.iter().fold(Router::new(), |router, name| {
        router.route(&format!("/socket.io/{name}"), get(async |headers: HeaderMap| serve(name, &headers)))
    })
}

fn serve(name: &str, headers: &HeaderMap) -> Response {
    let Some((_, bytes)) = BUNDLE.iter().find(|(known, _)| *known == name) else {
        let message = "The client bundle is not part of this build; `make build` puts it in";
        let body = format!(r#"{{"success":false,"message":"{message}"}}"#);
        return (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    };
    // A bundle changes with its package alone.
    let tag = format!("\"{VERSION}\"");
    let is_known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|value| {
            value.split(',').map(str::trim).any(|part| part == "*" || part.trim_start_matches("W/") == tag)
        })
    });
    let kind = if name.rsplit('.').next() == Some("map") {
        "application/json; charset=utf-8"
    } else {
        "application/javascript; charset=utf-8"
    };
    let mut response =
        if is_known { StatusCode::NOT_MODIFIED.into_response() } else { (*bytes).into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=0"));
    // Pages of other sites load it by a script element.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).expect("a version is plain text"));
    response
}
