//! `GET /api/admin/audit`: what admins and the platform changed.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::access::Admin;
use crate::admin::view;
use crate::http::error::ApiError;
use crate::http::query::{number, seq};
use crate::http::state::AppState;

/// Entries in an answer if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// Entries in an answer at most.
const MAX_LIMIT: u64 = 100;

/// The route of the audit.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/admin/audit", get(audit))
}

async fn audit(
    State(state): State<AppState>,
    Admin(_): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let query = query.unwrap_or_default();
    let after = seq(&query, "after")?;
    let limit = number(&query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    // One more than is answered shows whether there are more.
    let mut entries = state.store.audit(after, limit + 1).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let cursor = entries.last().filter(|_| has_more).map(|last| last.number.to_string());
    let data: Vec<_> = entries.iter().map(view::audit_entry).collect();
    Ok(Json(match cursor {
        Some(cursor) => json!({"success": true, "data": data, "cursor": cursor}),
        None => json!({"success": true, "data": data}),
    }))
}
