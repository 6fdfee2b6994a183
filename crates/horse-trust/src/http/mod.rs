//! The HTTP routes, one file a resource, each with its `router()`.

mod accounts;
mod address;
mod admin;
mod answers;
mod base_path;
mod blocks;
mod body;
mod bundle;
mod cached;
mod conversations;
mod docs;
mod error;
mod extract;
mod health;
mod messages;
mod metrics;
mod observe;
mod page;
mod query;
mod reports;
mod security;
mod state;

use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::{Router, middleware};
use http::{HeaderValue, Method, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

pub use self::error::ApiError;
use self::observe::ENGINE_PATHS;
pub use self::state::{AppState, StoreHealth};
use crate::config::{BasePath, CorsOrigins};
use crate::logging;

/// All routes below `base`, with the engine under `socket.io/`. Without accounts nobody registers or signs in here.
pub fn router(
    state: AppState,
    engine: socketio::Server,
    origins: &CorsOrigins,
    base: &BasePath,
    has_accounts: bool,
) -> Router {
    let figures = Arc::clone(&state.metrics);
    let answers = answers::Answers::default();
    let bodies = (state.clone(), Arc::<body::Bodies>::default());
    let api = Router::new()
        .merge(accounts::router(has_accounts))
        .merge(conversations::router(&answers))
        .merge(messages::router())
        .merge(blocks::router())
        .merge(reports::router())
        .merge(admin::router())
        .merge(health::router())
        .merge(metrics::router(engine.clone()))
        .with_state(state)
        .layer(middleware::from_fn_with_state(answers, answers::count))
        // Answers hold tokens and what people wrote.
        .layer(set_header(header::CACHE_CONTROL, "no-store"));
    let files = Router::new()
        .merge(page::router(has_accounts))
        .merge(bundle::router())
        .merge(docs::router(base))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(cached::Answers::default(), cached::answer));
    let routes = Router::new()
        .merge(api)
        .merge(files)
        .fallback(async || ApiError::RouteNotFound)
        .method_not_allowed_fallback(async || ApiError::RouteNotFound)
        .layer(middleware::from_fn_with_state(bodies, body::take_whole))
        .layer(middleware::from_fn(security::add_headers))
        .route_service(ENGINE_PATHS[0], engine.clone())
        .route_service(ENGINE_PATHS[1], engine.clone())
        .route_service(ENGINE_PATHS[2], engine)
        .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| {
            tracing::error!(panic = logging::panic_message(&*panic), "a request's handler panicked");
            ApiError::Internal.into_response()
        }));
    let observed = |routes: Router| {
        routes
            .layer(cors(origins))
            .layer(middleware::from_fn_with_state(Arc::clone(&figures), observe::observe))
    };
    if base.as_str().is_empty() {
        return observed(routes);
    }
    let outside = base_path::outside(base).layer(middleware::from_fn(security::add_headers));
    base_path::below(base.clone(), observed(routes), observed(outside))
}

/// How long browsers cache the answer to a preflight request; Chromium caps it at two hours.
const PREFLIGHT_TIME: Duration = Duration::from_hours(2);

fn set_header(name: header::HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}

fn cors(origins: &CorsOrigins) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER, observe::REQUEST_ID])
        .max_age(PREFLIGHT_TIME);
    match origins {
        CorsOrigins::Any => layer.allow_origin(AllowOrigin::any()),
        CorsOrigins::Listed(origins) => {
            let origins = Arc::new(origins.clone());
            let allows = move |origin: &HeaderValue, _: &_| {
                origin.to_str().is_ok_and(|origin| origins.contains(origin))
            };
            layer.allow_origin(AllowOrigin::predicate(allows)).allow_credentials(true)
        }
    }
}
