//! Caches the compressed files of the binary, so that each is compressed once.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, response};
use parking_lot::Mutex;

use super::error::ApiError;

/// A path, and an encoding.
type Place = (String, &'static str);

/// The cached answers; at most three for each file.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<HashMap<Place, (response::Parts, Bytes)>>>);

/// Serves from the cache. For routes whose answers are files that do not change.
pub(super) async fn answer(State(known): State<Answers>, mut request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    // No file's name needs percent-encoding, and encoded names would add entries to the cache.
    if request.uri().path().contains('%') {
        return ApiError::RouteNotFound.into_response();
    }
    let encoding = encoding(request.headers());
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    let place = (request.uri().path().to_owned(), encoding);
    let cached = || known.0.lock().get(&place).cloned();
    let is_asked_whether_it_changed = request.headers().contains_key(header::IF_NONE_MATCH);
    if !is_asked_whether_it_changed && let Some((parts, body)) = cached() {
        return Response::from_parts(parts, Body::from(body));
    }
    // The body is not compressed before it is read.
    let (parts, body) = next.run(request).await.into_parts();
    if parts.status != StatusCode::OK
        || parts.headers.get(header::CACHE_CONTROL).is_some_and(|value| value == "no-store")
    {
        return Response::from_parts(parts, body);
    }
    if let Some((parts, body)) = cached() {
        return Response::from_parts(parts, Body::from(body));
    }
    match to_bytes(body, usize::MAX).await {
        Ok(body) => {
            known.0.lock().insert(place, (parts.clone(), body.clone()));
            Response::from_parts(parts, Body::from(body))
        }
        Err(error) => {
            tracing::error!(%error, "a file could not be compressed");
            ApiError::Internal.into_response()
        }
    }
}

/// The best encoding that the client accepts and the server has.
fn encoding(headers: &HeaderMap) -> &'static str {
    let accepts = |name: &str| {
        let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let mut codings = values.flat_map(|value| value.split(','));
        codings.any(|coding| {
            let (coding, quality) = coding.split_once(';').unwrap_or((coding, ""));
            let quality = quality.trim().strip_prefix("q=").unwrap_or("1");
            coding.trim().eq_ignore_ascii_case(name)
                && quality.parse::<f32>().is_ok_and(|quality| quality > 0.0)
        })
    };
    ["br", "gzip"].into_iter().find(|name| accepts(name)).unwrap_or("identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_is_taken() {
        let of = |value: &'static str| {
            encoding(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]))
        };
        assert_eq!(encoding(&HeaderMap::new()), "identity");
        assert_eq!(of("gzip, deflate, br, zstd"), "br");
        assert_eq!(of("GZIP;q=0.5, br;q=0"), "gzip");
        assert_eq!(of("gzip; q=0.0"), "identity");
        assert_eq!(of("deflate"), "identity");
        assert_eq!(of("br;q=x"), "identity");
    }
}
