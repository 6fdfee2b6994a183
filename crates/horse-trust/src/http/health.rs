//! Liveness, the store's health, and readiness.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tokio::time::Instant;

use super::state::AppState;

/// The routes of health.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/health", get(health))
        .route("/health/db", get(store_health))
        .route("/ready", get(readiness))
}

async fn health() -> Json<Value> {
    Json(json!({"success": true, "status": "ok"}))
}

async fn store_health(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    answer(store_answers(&state).await, "error")
}

/// For a load balancer. An unreachable bus does not count: this node still serves its own clients, and all nodes would be
/// taken out at once.
async fn readiness(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    if state.draining.load(Ordering::Acquire) {
        return answer(false, "draining");
    }
    answer(store_answers(&state).await, "store")
}

async fn store_answers(state: &AppState) -> bool {
    let came = Instant::now();
    let mut last = state.store_health.lock().await;
    // Requests that arrived before the last check began share its result.
    if let Some((asked, is_well)) = *last
        && asked >= came
    {
        return is_well;
    }
    let asked = Instant::now();
    let answered = state.store.ping().await;
    if let Err(error) = &answered {
        tracing::warn!(%error, "the store does not answer");
    }
    *last = Some((asked, answered.is_ok()));
    answered.is_ok()
}

/// 200, or 503 with the reason.
fn answer(is_well: bool, wrong: &str) -> (StatusCode, Json<Value>) {
    if is_well {
        (StatusCode::OK, Json(json!({"success": true, "status": "ok"})))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"success": false, "status": wrong})))
    }
}
