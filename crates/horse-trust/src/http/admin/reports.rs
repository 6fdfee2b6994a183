//! What admins look at in a dispute: reports, and texts that were withdrawn.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::access::Admin;
use crate::contract::Refusal;
use crate::http::error::ApiError;
use crate::http::query::{number, parameter};
use crate::http::state::AppState;
use crate::id::Id;
use crate::store::Page;

/// Entries a page if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// Entries a page at most.
const MAX_LIMIT: u64 = 100;
/// The last page that can be asked for.
const MAX_PAGE: u64 = 1_000_000;

/// The routes of reports and withdrawn texts.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/admin/reports", get(reports)).route("/api/admin/withdrawn", get(withdrawn))
}

async fn reports(
    State(state): State<AppState>,
    Admin(_): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let data = state.chat.reports(page(&query.unwrap_or_default())?).await?;
    Ok(Json(json!({"success": true, "data": data})))
}

async fn withdrawn(
    State(state): State<AppState>,
    Admin(_): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let query = query.unwrap_or_default();
    let conversation = parameter(&query, "conversation_id")?.map(|id| Id::parse(&id)).transpose();
    let conversation = conversation.map_err(|_| Refusal::ConversationNotFound)?;
    let data = state.chat.withdrawn(conversation.as_ref(), page(&query)?).await?;
    Ok(Json(json!({"success": true, "data": data})))
}

fn page(query: &str) -> Result<Page, ApiError> {
    Ok(Page {
        number: number(query, "page", MAX_PAGE)?.unwrap_or(1),
        limit: number(query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT),
    })
}
