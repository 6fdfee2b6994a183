//! `/api/chat`: conversations, their history, and what is unread.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::extract::{Authenticated, Fields};
use super::{ApiError, AppState};
use crate::chat::Refusal;
use crate::chat::view::{ConversationView, MessageJson};
use crate::store::Page;

/// Messages a page if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// Messages a page at most.
const MAX_LIMIT: u64 = 100;
/// The last page that can be asked for.
const MAX_PAGE: u64 = 1_000_000;

/// The routes of the chat.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/chat/conversations", get(list).post(open))
        .route("/api/chat/conversations/{id}/messages", get(history).post(send))
        .route("/api/chat/unread-count", get(unread_count))
}

async fn list(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    let conversations = state.chat.conversations(&claims.user).await?;
    let data: Vec<_> = conversations.iter().map(ConversationView).collect();
    Ok(Json(json!({"success": true, "data": data})))
}

async fn open(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let mut errors = Vec::new();
    // What is no text is no id either, and is answered as such.
    let recipient = fields.text("recipient_id", &mut errors).unwrap_or_default();
    if errors.is_empty() {
        let horse = fields.text("horse_id", &mut errors);
        if !errors.is_empty() {
            return Err(Refusal::InvalidHorse.into());
        }
        let conversation = state.chat.open_conversation(&claims.user, &recipient, horse.as_deref()).await?;
        return Ok(Json(json!({"success": true, "data": ConversationView(&conversation)})));
    }
    Err(Refusal::InvalidRecipient.into())
}

async fn history(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let id = conversation_id(id)?;
    let query = query.unwrap_or_default();
    let page = number(&query, "page", MAX_PAGE)?.unwrap_or(1);
    let limit = number(&query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let history = state.chat.history(&claims.user, &id, Page { number: page, limit }).await?;
    let body = format!(
        r#"{{"success":true,"data":[{}],"page":{page},"limit":{limit}}}"#,
        history.messages.join(",")
    );
    Ok(json_text(StatusCode::OK, body))
}

async fn send(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    id: Result<Path<String>, PathRejection>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let id = conversation_id(id)?;
    let mut errors = Vec::new();
    let text = fields.text("text", &mut errors).unwrap_or_default();
    if !errors.is_empty() {
        // A stranger learns nothing by what is said of the text.
        state.chat.conversation(&claims.user, &id).await?;
        return Err(ApiError::Invalid(Refusal::InvalidMessage.to_string(), errors));
    }
    let message: MessageJson = state.chat.post_message(&claims.user, &id, text).await?;
    Ok(json_text(StatusCode::CREATED, format!(r#"{{"success":true,"data":{message}}}"#)))
}

async fn unread_count(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    let count = state.chat.unread_count(&claims.user).await?;
    Ok(Json(json!({"success": true, "unread_count": count})))
}

fn conversation_id(path: Result<Path<String>, PathRejection>) -> Result<String, ApiError> {
    path.map(|Path(id)| id).map_err(|_| Refusal::ConversationNotFound.into())
}

fn json_text(status: StatusCode, body: String) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The whole number from 1 to `most` that the query gives for `path`, if it does.
fn number(query: &str, path: &'static str, most: u64) -> Result<Option<u64>, ApiError> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let Some((_, value)) = pairs.find(|(key, _)| *key == path) else { return Ok(None) };
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    let error = || ApiError::field(path, format!("{path} must be a whole number from 1 to {most}"));
    number.map(Some).ok_or_else(error)
}
