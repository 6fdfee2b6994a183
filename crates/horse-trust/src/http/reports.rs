//! `/api/chat/reports`: a message is reported to the admins.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Authenticated, Fields};
use super::state::AppState;
use crate::contract::Reported;

/// The route of reports.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/chat/reports", post(report))
}

async fn report(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut errors = Vec::new();
    let message = fields.text("message_id", &mut errors).unwrap_or_default();
    let reason = fields.text("reason", &mut errors).unwrap_or_default();
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let id = state.chat.report_message(&claims.user, &message, &reason).await?;
    Ok((StatusCode::CREATED, Json(json!({"success": true, "data": Reported { report_id: &id }}))))
}
