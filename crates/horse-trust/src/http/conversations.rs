//! `/api/chat`: conversations, their history, and unread counts.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use futures_util::stream::{self, StreamExt as _};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use super::answers::{self, Answers};
use super::error::ApiError;
use super::extract::{Authenticated, Fields, PathId};
use super::query::{number, parameter, seq};
use super::state::AppState;
use crate::chat::{Chat, view};
use crate::contract::{self, Draft, MessageJson, Refusal};
use crate::id::Id;
use crate::json;
use crate::store::{InvalidCursor, ListFilter, ListPlace, ListQuery, Page, Range};
use crate::timestamp::Timestamp;

/// Messages a page if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// Messages a page at most.
const MAX_LIMIT: u64 = 100;
/// How many conversations of a whole list are read and kept in memory at once.
const LISTED_AT_ONCE: usize = 64;
/// Answers from this length on are compressed, in bytes.
const COMPRESSED_FROM: u64 = 1024;
/// The last page that can be asked for.
const MAX_PAGE: u64 = 1_000_000;

/// The routes of the chat. Their answers are counted before they are compressed, because that is what stays in memory.
pub(super) fn router(answers: &Answers) -> Router<AppState> {
    let counted = || middleware::from_fn_with_state(answers.clone(), answers::count);
    Router::new()
        .route(
            "/api/chat/conversations",
            get(list).layer::<_, Infallible>(counted()).layer(compression()).post(open),
        )
        .route(
            "/api/chat/conversations/{id}/messages",
            get(history).layer::<_, Infallible>(counted()).layer(compression()).post(send),
        )
        .route("/api/chat/conversations/{id}/read", post(read))
        .route("/api/chat/unread-count", get(unread_count))
}

/// Compresses what is worth it, fast rather than small. Only answers to `GET` that hold no token: what is compressed
/// beside a secret shows it by its length (BREACH).
fn compression() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(COMPRESSED_FROM))
}

async fn list(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let (chat, user) = (state.chat, claims.user);
    let Some(mut query) = list_query(&query.unwrap_or_default())? else {
        let places = chat.list(&user, ListQuery::default()).await?;
        return whole_list(chat, user, places).await;
    };
    // One more than is asked for shows whether there are more.
    let limit = usize::try_from(query.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
    query.limit = Some(limit as u64 + 1);
    let mut places = chat.list(&user, query).await?;
    let has_more = places.len() > limit;
    places.truncate(limit);
    let mut body = list_head(&user, chat.edit_window());
    write_part(&chat, &user, &places, &mut body, true).await?;
    body.push(b']');
    if let (true, Some(last)) = (has_more, places.last()) {
        body.extend_from_slice(format!(r#","cursor":"{last}""#).as_bytes());
    }
    body.push(b'}');
    Ok(json_text(StatusCode::OK, body))
}

/// The part of the list that the query names; `None` for the whole list.
fn list_query(query: &str) -> Result<Option<ListQuery>, ApiError> {
    let limit = number(query, "limit", MAX_LIMIT)?;
    let before = parameter(query, "before")?.map(|cursor| cursor.parse()).transpose();
    let before = before.map_err(|error: InvalidCursor| ApiError::field("before", error.to_string()))?;
    let filter = parameter(query, "filter")?;
    if limit.is_none() && before.is_none() && filter.is_none() {
        return Ok(None);
    }
    let filter = match filter.as_deref() {
        None => ListFilter::Current,
        Some("all") => ListFilter::All,
        Some("unread") => ListFilter::Unread,
        Some("archived") => ListFilter::Archived,
        Some(_) => return Err(ApiError::field("filter", "filter must be unread, archived or all")),
    };
    Ok(Some(ListQuery { filter, before, limit }))
}

/// The whole list. Its length has no bound, so only one part of it is in memory at a time.
async fn whole_list(chat: Arc<Chat>, user: Id, places: Vec<ListPlace>) -> Result<Response, ApiError> {
    let mut body = list_head(&user, chat.edit_window());
    let first = places.len().min(LISTED_AT_ONCE);
    write_part(&chat, &user, &places[..first], &mut body, true).await?;
    if first == places.len() {
        body.extend_from_slice(b"]}");
        return Ok(json_text(StatusCode::OK, body));
    }
    let rest: Vec<_> = places[first..].chunks(LISTED_AT_ONCE).map(<[_]>::to_vec).collect();
    let rest = stream::iter(rest).then(move |places| {
        let (chat, user) = (Arc::clone(&chat), user.clone());
        async move {
            let mut part = Vec::new();
            // The status is sent already: a failure can only cut the answer off.
            let written = write_part(&chat, &user, &places, &mut part, false).await;
            written.map_err(|_| io::Error::other("the list could not be read to its end"))?;
            Ok(Bytes::from(part))
        }
    });
    let begin = stream::once(async { Ok::<_, io::Error>(Bytes::from(body)) });
    let end = stream::once(async { Ok(Bytes::from_static(b"]}")) });
    Ok(json_text(StatusCode::OK, Body::from_stream(begin.chain(rest).chain(end))))
}

/// Writes the conversations at these places, with a comma between each two.
async fn write_part(
    chat: &Chat,
    user: &Id,
    places: &[ListPlace],
    body: &mut Vec<u8>,
    is_first: bool,
) -> Result<(), ApiError> {
    if places.is_empty() {
        return Ok(());
    }
    let (summaries, online) = chat.summaries(user, places).await?;
    for (count, summary) in summaries.iter().enumerate() {
        if count > 0 || !is_first {
            body.push(b',');
        }
        let view = view::conversation(summary, user, |other| online.contains(other));
        serde_json::to_writer(&mut *body, &view).map_err(|error| {
            tracing::error!(%error, "a conversation could not be written");
            ApiError::Internal
        })?;
    }
    Ok(())
}

/// The beginning of a list: whose it is, since a client does not read its token, and what it needs to know until when a
/// message can be changed whatever its own clock says: the server's time, and the window in milliseconds.
fn list_head(user: &Id, edit_window: Duration) -> Vec<u8> {
    let (now, window) = (Timestamp::now(), edit_window.as_millis());
    // An id has no character that JSON escapes.
    format!(r#"{{"success":true,"user_id":"{user}","server_time":"{now}","edit_window_ms":{window},"data":["#)
        .into_bytes()
}

async fn open(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    state.chat.count_opening(&claims.user).await?;
    let mut errors = Vec::new();
    // A value that is no text is answered like an invalid id.
    let recipient = fields.text("recipient_id", &mut errors).unwrap_or_default();
    if errors.is_empty() {
        let horse = fields.text("horse_id", &mut errors);
        if !errors.is_empty() {
            return Err(Refusal::InvalidHorse.into());
        }
        let conversation = state.chat.open_conversation(&claims.user, &recipient, horse.as_deref()).await?;
        let online = state.chat.online_in(std::slice::from_ref(&conversation)).await;
        let data = view::conversation(&conversation, &claims.user, |other| online.contains(other));
        return Ok(Json(json!({"success": true, "data": data})));
    }
    Err(Refusal::InvalidRecipient.into())
}

async fn history(
    State(state): State<AppState>,
    method: Method,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    // HEAD has no body, so nothing was read.
    let marks = method != Method::HEAD;
    if let Some(range) = range(&query)? {
        let slice = state.chat.slice(&claims.user, &id, range, marks).await?;
        return Ok(json_text(StatusCode::OK, contract::fetched(&slice.messages, slice.has_more)));
    }
    let page = page_of(&query)?;
    let messages = state.chat.history(&claims.user, &id, page, marks).await?;
    Ok(json_text(StatusCode::OK, page_json(page, &messages)))
}

async fn send(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Response, ApiError> {
    state.chat.count_message(&claims.user)?;
    let mut errors = Vec::new();
    let draft = Draft::from_fields(|name| fields.text(name, &mut errors));
    if !errors.is_empty() {
        // Checked first, so that a stranger learns nothing from how the text is refused.
        state.chat.conversation(&claims.user, &id).get().await?;
        return Err(ApiError::Invalid(Refusal::InvalidMessage.to_string(), errors));
    }
    let (message, is_new) = state.chat.post_message(&claims.user, &id, draft).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json_text(status, contract::success(&message)))
}

async fn read(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Response, ApiError> {
    let up_to = fields.number("up_to_seq")?;
    state.chat.limits().request(&claims.user)?;
    let conversation = state.chat.conversation(&claims.user, &id).get().await?;
    let read = state.chat.mark_read_and_wait(&claims.user, &conversation, up_to).await?;
    Ok(json_text(StatusCode::OK, contract::success(&json::encode(&view::marked(&read)))))
}

async fn unread_count(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    let count = state.chat.unread_count(&claims.user).await?;
    Ok(Json(json!({"success": true, "unread_count": count})))
}

/// The page of a history that the query names.
pub(super) fn page_of(query: &str) -> Result<Page, ApiError> {
    Ok(Page {
        number: number(query, "page", MAX_PAGE)?.unwrap_or(1),
        limit: number(query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT),
    })
}

/// A page of a history as JSON.
pub(super) fn page_json(Page { number, limit }: Page, messages: &[MessageJson]) -> String {
    let data = messages.join(",");
    format!(r#"{{"success":true,"data":[{data}],"page":{number},"limit":{limit}}}"#)
}

/// The range that `after_seq` or `before_seq` asks for, if either is there.
pub(super) fn range(query: &str) -> Result<Option<Range>, ApiError> {
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
