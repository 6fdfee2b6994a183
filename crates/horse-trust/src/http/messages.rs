//! `/api/chat/messages`: a message is edited or deleted by its sender.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::patch;
use http::StatusCode;
use tokio::sync::oneshot;

use super::conversations::json_text;
use super::error::ApiError;
use super::extract::{Authenticated, Fields, PathId};
use super::state::AppState;
use crate::contract::{self, Refusal};
use crate::id::Id;

/// The routes of single messages.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/chat/messages/{id}", patch(edit).delete(delete))
}

async fn edit(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Response, ApiError> {
    let mut errors = Vec::new();
    let text = fields.text("text", &mut errors).unwrap_or_default();
    if !errors.is_empty() {
        return Err(ApiError::Invalid(Refusal::InvalidMessage.to_string(), errors));
    }
    change(&state, &claims.user, &id, Some(text)).await
}

async fn delete(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    change(&state, &claims.user, &id, None).await
}

async fn change(state: &AppState, user: &Id, id: &str, text: Option<String>) -> Result<Response, ApiError> {
    let (sender, receiver) = oneshot::channel();
    let done = Box::new(move |changed| drop(sender.send(changed)));
    state.chat.change_message(user, id, text, done).await;
    let json = receiver.await.unwrap_or(Err(Refusal::StoreFailed))?;
    Ok(json_text(StatusCode::OK, contract::success(&json)))
}
