//! The routes below `BASE_PATH`, on a host that the server shares with others.

use axum::Router;
use axum::extract::{RawQuery, Request};
use axum::response::Redirect;
use axum::routing::get;
use http::Uri;
use tower::ServiceExt as _;

use super::error::ApiError;
use crate::config::BasePath;

/// What answers outside of `base`: its own name without the slash leads to the page, all else is not ours.
pub(super) fn outside(base: &BasePath) -> Router {
    let page = format!("{}/", base.as_str());
    let to_page = async move |RawQuery(query): RawQuery| match query {
        Some(query) => Redirect::permanent(&format!("{page}?{query}")),
        None => Redirect::permanent(&page),
    };
    Router::new()
        .route(base.as_str(), get(to_page))
        .fallback(async || ApiError::RouteNotFound)
        .method_not_allowed_fallback(async || ApiError::RouteNotFound)
}

/// `routes` below `base`, and `outside` anywhere else. The base is cut off before a request reaches `routes`, so that rules
/// which look at the path, log lines and the metrics are the same with any base.
pub(super) fn below(base: BasePath, routes: Router, outside: Router) -> Router {
    Router::new().fallback(async move |mut request: Request| {
        let taking = match cut(request.uri(), base.as_str()) {
            Some(uri) => {
                *request.uri_mut() = uri;
                routes
            }
            None => outside,
        };
        taking.oneshot(request).await
    })
}

/// The URI without `base` at the beginning of its path; `None` if it is not below it.
fn cut(uri: &Uri, base: &str) -> Option<Uri> {
    uri.path().strip_prefix(base).filter(|rest| rest.starts_with('/'))?;
    let mut parts = uri.clone().into_parts();
    let rest = parts.path_and_query?.as_str()[base.len()..].parse().ok()?;
    parts.path_and_query = Some(rest);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_cut_off() {
        for (uri, expected) in [
            ("/chat/", Some("/")),
            ("/chat/?a=/chat/", Some("/?a=/chat/")),
            ("/chat/socket.io/?EIO=4", Some("/socket.io/?EIO=4")),
            ("/chat/chat/x", Some("/chat/x")),
            ("/chat//x", Some("//x")),
            ("http://example.com/chat/x", Some("http://example.com/x")),
            ("/chat", None),
            ("/chat?a", None),
            ("/chats/x", None),
            ("/Chat/x", None),
            ("/%63hat/x", None),
            ("/x/chat/", None),
            ("/", None),
            ("*", None),
        ] {
            let cut = cut(&uri.parse().unwrap(), "/chat").map(|uri| uri.to_string());
            assert_eq!(cut.as_deref(), expected, "{uri}");
        }
    }
}
