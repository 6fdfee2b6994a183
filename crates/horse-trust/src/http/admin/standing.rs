//! `/api/admin/users/:id/suspension` and `/token`: whether somebody may use the chat.

use std::time::Duration;

use axum::extract::State;
use axum::routing::{post, put};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::access::Admin;
use super::users::known_id;
use crate::admin::Lookup as _;
use crate::chat;
use crate::config::parse_duration;
use crate::contract::FieldError;
use crate::http::error::ApiError;
use crate::http::extract::{Fields, PathId};
use crate::http::state::AppState;
use crate::json::{LossyString, whole_number};
use crate::store::Suspension;
use crate::timestamp::Timestamp;

/// The longest reason of a suspension, in characters.
const MAX_REASON: usize = 1000;
/// The longest time that a token may be valid: 100 years.
const MAX_TOKEN_SECONDS: i64 = 100 * 366 * 86_400;

/// The routes of suspensions and tokens.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/admin/users/{id}/suspension", put(suspend).delete(end_suspension))
        .route("/api/admin/users/{id}/token", post(issue_token))
}

async fn suspend(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let id = known_id(&id)?;
    let mut errors = Vec::new();
    let reason = fields.text("reason", &mut errors).map(|reason| reason.trim().to_owned());
    let is_reason = |reason: &String| reason.chars().count() <= MAX_REASON && !reason.contains('\0');
    if !reason.as_ref().is_none_or(is_reason) {
        errors.push(FieldError { path: "reason", msg: format!("reason may have {MAX_REASON} characters") });
    }
    let until = fields.text("until", &mut errors).and_then(|text| {
        let until = Timestamp::parse(&text);
        if until.is_none() {
            let msg = "until must be a time like 2024-01-15T10:30:00.000Z".to_owned();
            errors.push(FieldError { path: "until", msg });
        }
        until
    });
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let suspension = Suspension { until, reason: reason.filter(|reason| !reason.is_empty()) };
    let suspension = state.people.suspend(&id, Some(suspension), actor).await?;
    Ok(Json(json!({"success": true, "data": suspension.as_ref().map(chat::view::suspension)})))
}

async fn end_suspension(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
) -> Result<Json<Value>, ApiError> {
    let suspension = state.people.suspend(&known_id(&id)?, None, actor).await?;
    Ok(Json(json!({"success": true, "data": suspension.as_ref().map(chat::view::suspension)})))
}

async fn issue_token(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let id = known_id(&id)?;
    let expires_in = expires_in(&fields)?;
    let (token, expires_at) = state.people.issue_token(&id, expires_in, actor).await?;
    Ok((StatusCode::CREATED, Json(json!({"success": true, "token": token, "expires_at": expires_at}))))
}

/// Seconds, or a time as settings have it: `15m`, `12h`, `7d`.
fn expires_in(fields: &Fields) -> Result<Option<Duration>, ApiError> {
    let Some(value) = fields.value("expires_in").map(RawValue::get).filter(|value| *value != "null") else {
        return Ok(None);
    };
    let time = match LossyString::parse(value) {
        Some(text) => parse_duration(&text).ok(),
        None => whole_number(value)
            .filter(|seconds| (1..=MAX_TOKEN_SECONDS).contains(seconds))
            .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
    };
    let message = "expires_in must be seconds from 1, or a time like 15m, 12h or 7d";
    time.map(Some).ok_or_else(|| ApiError::field("expires_in", message))
}
