//! `/api/chat`: conversations, their history, and what is unread.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::extract::{Authenticated, Fields, PathId};
use super::{ApiError, AppState};
use crate::chat::view::{self, ConversationView};
use crate::chat::{Draft, Refusal};
use crate::store::{Page, Range};

/// Messages a page if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// Messages a page at most.
const MAX_LIMIT: u64 = 100;
/// How many conversations of a list are written before other tasks have their turn.
const LISTED_AT_ONCE: usize = 64;
/// The last page that can be asked for.
const MAX_PAGE: u64 = 1_000_000;

/// The routes of the chat.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/chat/conversations", get(list).post(open))
        .route("/api/chat/conversations/{id}/messages", get(history).post(send))
        .route("/api/chat/conversations/{id}/read", post(read))
        .route("/api/chat/unread-count", get(unread_count))
}

async fn list(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Response, ApiError> {
    let conversations = state.chat.conversations(&claims.user).await?;
    let online = state.chat.online_in(&conversations).await;
    let mut body = br#"{"success":true,"data":["#.to_vec();
    for (count, summary) in conversations.iter().enumerate() {
        if count > 0 {
            body.push(b',');
        }
        let view = ConversationView::new(summary, &claims.user, |other| online.contains(other));
        serde_json::to_writer(&mut body, &view).map_err(|error| {
            tracing::error!(%error, "a conversation could not be written");
            ApiError::Internal
        })?;
        // There is no bound on how many there are.
        if count % LISTED_AT_ONCE == LISTED_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
    }
    body.extend_from_slice(b"]}");
    Ok(json_text(StatusCode::OK, body))
}

async fn open(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let mut errors = Vec::new();
    // What is no text is no id either, and is answered as such.
    let mut recipient = fields.text("recipient_id", &mut errors).unwrap_or_default();
    if recipient.is_empty()
        && let Some(email) = fields.text("recipient_email", &mut errors)
    {
        recipient = state.chat.user_by_email(&claims.user, &email).await?.to_string();
    }
    if errors.is_empty() {
        let horse = fields.text("horse_id", &mut errors);
        if !errors.is_empty() {
            return Err(Refusal::InvalidHorse.into());
        }
        let conversation = state.chat.open_conversation(&claims.user, &recipient, horse.as_deref()).await?;
        let online = state.chat.online_in(std::slice::from_ref(&conversation)).await;
        let data = ConversationView::new(&conversation, &claims.user, |other| online.contains(other));
        return Ok(Json(json!({"success": true, "data": data})));
    }
    Err(Refusal::InvalidRecipient.into())
}

async fn history(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    if let Some(range) = range(&query)? {
        let slice = state.chat.slice(&claims.user, &id, range, true).await?;
        let (data, has_more) = (slice.messages.join(","), slice.has_more);
        let body = format!(r#"{{"success":true,"data":[{data}],"has_more":{has_more}}}"#);
        return Ok(json_text(StatusCode::OK, body));
    }
    let page = number(&query, "page", MAX_PAGE)?.unwrap_or(1);
    let limit = number(&query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let messages = state.chat.history(&claims.user, &id, Page { number: page, limit }).await?;
    let data = messages.join(",");
    let body = format!(r#"{{"success":true,"data":[{data}],"page":{page},"limit":{limit}}}"#);
    Ok(json_text(StatusCode::OK, body))
}

async fn send(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Response, ApiError> {
    state.chat.count_message(&claims.user)?;
    let mut errors = Vec::new();
    let text = fields.text("text", &mut errors).unwrap_or_default();
    let client_id = fields.text("client_id", &mut errors);
    if !errors.is_empty() {
        // A stranger learns nothing by what is said of the text.
        state.chat.conversation(&claims.user, &id).await?;
        return Err(ApiError::Invalid(Refusal::InvalidMessage.to_string(), errors));
    }
    let draft = Draft { text, client_id };
    let (message, is_new) = state.chat.post_message(&claims.user, &id, draft).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json_text(status, format!(r#"{{"success":true,"data":{message}}}"#)))
}

async fn read(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Response, ApiError> {
    let up_to = fields.number("up_to_seq")?;
    state.chat.limits().request(&claims.user)?;
    let conversation = state.chat.conversation(&claims.user, &id).await?;
    let read = state.chat.mark_read_and_wait(&claims.user, &conversation, up_to).await?;
    Ok(json_text(StatusCode::OK, format!(r#"{{"success":true,"data":{}}}"#, view::read(&read))))
}

async fn unread_count(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    let count = state.chat.unread_count(&claims.user).await?;
    Ok(Json(json!({"success": true, "unread_count": count})))
}

/// The range that `after_seq` or `before_seq` asks for, if either is there.
fn range(query: &str) -> Result<Option<Range>, ApiError> {
    let limit = number(query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let both = "after_seq and before_seq exclude one another";
    Ok(match (seq(query, "after_seq")?, seq(query, "before_seq")?) {
        (Some(_), Some(_)) => return Err(ApiError::field("after_seq", both)),
        (Some(seq), None) => Some(Range::After(seq, limit)),
        (None, Some(seq)) => Some(Range::Before(seq, limit)),
        (None, None) => None,
    })
}

pub(super) fn json_text(status: StatusCode, body: impl IntoResponse) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The whole number from 1 to `most` that the query gives for `path`, if it does.
pub(super) fn number(query: &str, path: &'static str, most: u64) -> Result<Option<u64>, ApiError> {
    number_from(query, path, 1, most)
}

/// The sequence number, or 0, that the query gives for `path`, if it does.
fn seq(query: &str, path: &'static str) -> Result<Option<i64>, ApiError> {
    let most = i64::MAX.unsigned_abs();
    Ok(number_from(query, path, 0, most)?.and_then(|seq| i64::try_from(seq).ok()))
}

fn number_from(query: &str, path: &'static str, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
    let Some(value) = parameter(query, path) else { return Ok(None) };
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    let error = || ApiError::field(path, format!("{path} must be a whole number from {least} to {most}"));
    number.map(Some).ok_or_else(error)
}

/// The value of a parameter of the query.
pub(super) fn parameter<'a>(query: &'a str, path: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == path).map(|(_, value)| value)
}
