//! The routes, one file a resource, each with its `router()`.

mod accounts;
mod admin;
mod answers;
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

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::{Router, middleware};
use http::{Extensions, HeaderValue, Method, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

pub use self::error::ApiError;
pub use self::health::StoreHealth;
use crate::auth::{AddressRate, Passwords, Throttle, Tokens};
use crate::chat::Chat;
use crate::config::{CorsOrigins, Secret};
use crate::logging;
use crate::metrics::Metrics;
use crate::store::Store;

/// What the routes share.
#[derive(Clone)]
pub struct AppState {
    /// The rules.
    pub chat: Arc<Chat>,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// Issues and verifies tokens.
    pub tokens: Arc<Tokens>,
    /// Computes password hashes.
    pub passwords: Arc<Passwords>,
    /// Counts wrong logins.
    pub throttle: Arc<Throttle>,
    /// How many accounts an address may make.
    pub registrations: Arc<AddressRate>,
    /// How many e-mails an address may look up.
    pub email_lookups: Arc<AddressRate>,
    /// What is counted and timed.
    pub metrics: Arc<Metrics>,
    /// What opens the metrics to others than this machine.
    pub metrics_token: Option<Secret>,
    /// Whether the server is about to end, and wants no new clients.
    pub draining: Arc<AtomicBool>,
    /// Whether the store answered when it was asked last.
    pub store_health: Arc<StoreHealth>,
}

/// Where the engine is: its path as clients are set up with it, also without its last slash or with one too many.
const ENGINE_PATHS: [&str; 3] = ["/socket.io/", "/socket.io", "/socket.io//"];

/// All routes, with the engine under `/socket.io/`.
pub fn router(state: AppState, engine: socketio::Server, origins: &CorsOrigins) -> Router {
    let figures = Arc::clone(&state.metrics);
    let answers = answers::Answers::default();
    let bodies = (Arc::clone(&state.tokens), Arc::<body::Bodies>::default());
    let api = Router::new()
        .merge(accounts::router())
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
        .merge(page::router())
        .merge(bundle::router())
        .merge(docs::router())
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(cached::Answers::default(), cached::answer));
    Router::new()
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
        }))
        .layer(cors(origins))
        .layer(middleware::from_fn_with_state(figures, observe::observe))
}

/// For how long browsers remember what a preflight request allowed; Chromium takes two hours at most.
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

/// Where the request with these extensions comes from.
fn client_address(extensions: &Extensions) -> std::net::IpAddr {
    let unknown = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    extensions.get::<socketio::ClientAddress>().map_or(unknown, |address| address.0)
}
