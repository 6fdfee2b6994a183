//! What the platform reads, writes and deletes in conversations.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use axum::routing::{delete as delete_route, get};
use http::StatusCode;

use super::access::Admin;
use crate::contract::{self, Draft, PlatformMessage, Refusal};
use crate::http::conversations::{json_text, page_json, page_of, range};
use crate::http::error::ApiError;
use crate::http::extract::{Fields, PathId};
use crate::http::state::AppState;
use crate::id::Id;
use crate::store::{NewAuditEntry, Range};

/// The routes of messages.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/admin/conversations/{id}/messages", get(history).post(send))
        .route("/api/admin/messages/{id}", delete_route(delete))
}

async fn history(
    State(state): State<AppState>,
    Admin(_): Admin,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    if let Some(range) = range(&query)? {
        let slice = state.chat.platform_slice(&id, range).await?;
        return Ok(json_text(StatusCode::OK, contract::fetched(&slice.messages, slice.has_more)));
    }
    let page = page_of(&query)?;
    let slice = state.chat.platform_slice(&id, Range::Page(page)).await?;
    Ok(json_text(StatusCode::OK, page_json(page, &slice.messages)))
}

async fn send(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Response, ApiError> {
    let mut errors = Vec::new();
    let message = PlatformMessage {
        draft: Draft::from_fields(
            |name| if name == "reply_to" { None } else { fields.text(name, &mut errors) },
        ),
        sender_id: fields.text("sender_id", &mut errors),
        custom: fields.custom("custom", &mut errors),
    };
    if !errors.is_empty() {
        return Err(ApiError::Invalid(Refusal::InvalidMessage.to_string(), errors));
    }
    let (message, is_new) = state.chat.post_for_platform(&id, message).await?;
    if is_new {
        state.store.note_audit(NewAuditEntry::new(actor, "message.send", Id::parse(&id).ok())).await?;
    }
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json_text(status, contract::success(&message)))
}

async fn delete(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let message = state.chat.delete_for_platform(&id).await?;
    state.store.note_audit(NewAuditEntry::new(actor, "message.delete", Id::parse(&id).ok())).await?;
    Ok(json_text(StatusCode::OK, contract::success(&message)))
}
