//! Whether the server lives, and whether its store answers.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use super::AppState;

/// The routes of health.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/health", get(health)).route("/health/db", get(store_health))
}

async fn health() -> Json<Value> {
    Json(json!({"success": true, "status": "ok"}))
}

async fn store_health(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    match state.store.ping().await {
        Ok(()) => (StatusCode::OK, Json(json!({"success": true, "status": "ok"}))),
        Err(error) => {
            tracing::warn!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"success": false, "status": "error"})))
        }
    }
}
