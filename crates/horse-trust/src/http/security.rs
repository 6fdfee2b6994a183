//! Security headers on every answer except the protocol engine's.
//!
//! The page sets its own Content-Security-Policy; every other answer gets one that allows nothing.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// How long browsers use TLS alone after they did once (RFC 6797): a year, the least that preload lists take. Subdomains
/// belong to the platform, so they are not included.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The headers of an answer that does not set them itself.
const DEFAULTS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Ids of conversations may stand in the page's address.
    (header::REFERRER_POLICY, "no-referrer"),
    // Data and documents: no script, no frame, whatever a browser takes an answer for.
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    // Other sites read what CORS allows them, and load nothing else into their pages.
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Adds the headers to the answer.
pub(super) async fn add_headers(request: Request, next: Next) -> Response {
    let came_by_tls = came_by_tls(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if came_by_tls {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(STRICT_TRANSPORT);
    }
    response
}

/// Whether a proxy declares that the client used TLS. A false declaration does no harm: browsers ignore the header of an
/// answer that came without TLS (RFC 6797, section 8.1).
fn came_by_tls(headers: &HeaderMap) -> bool {
    let says = |name: &str, tells: fn(&str) -> bool| {
        headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(tells))
    };
    says("x-forwarded-proto", |value| value.trim().eq_ignore_ascii_case("https"))
        || says("forwarded", |value| {
            value.split([',', ';']).any(|part| {
                part.trim().split_once('=').is_some_and(|(name, value)| {
                    name.eq_ignore_ascii_case("proto")
                        && value.trim_matches('"').eq_ignore_ascii_case("https")
                })
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_seen_as_proxies_write_it() {
        for (name, value, expected) in [
            ("x-forwarded-proto", "https", true),
            ("x-forwarded-proto", "HTTPS", true),
            ("x-forwarded-proto", "http", false),
            ("forwarded", "for=192.0.2.1;proto=https", true),
            ("forwarded", "for=192.0.2.1, for=192.0.2.2; Proto=\"https\"", true),
            ("forwarded", "for=192.0.2.1;proto=http", false),
            ("forwarded", "for=https", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(came_by_tls(&headers), expected, "{name}: {value}");
        }
    }
}
