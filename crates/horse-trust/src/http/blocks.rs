//! `/api/chat/blocks`: the users whom a user has blocked.

use axum::extract::State;
use axum::routing::{delete, get};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Authenticated, Fields, PathId};
use super::state::AppState;
use crate::chat::view;

/// The routes of blocks.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/chat/blocks", get(list).post(block))
        .route("/api/chat/blocks/{user_id}", delete(unblock))
}

async fn list(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    let blocked = state.chat.blocked_by(&claims.user).await?;
    let data: Vec<_> = blocked.iter().map(|(id, profile)| view::profile(id, profile.as_ref())).collect();
    Ok(Json(json!({"success": true, "data": data})))
}

async fn block(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut errors = Vec::new();
    // A value that is no text is answered like an invalid id.
    let other = fields.text("user_id", &mut errors).unwrap_or_default();
    state.chat.set_block(&claims.user, &other, true, None).await?;
    Ok((StatusCode::CREATED, Json(json!({"success": true}))))
}

async fn unblock(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(other): PathId,
) -> Result<Json<Value>, ApiError> {
    state.chat.set_block(&claims.user, &other, false, None).await?;
    Ok(Json(json!({"success": true})))
}
