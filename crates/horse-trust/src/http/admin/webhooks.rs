//! `/api/admin/webhooks`: the events that were given up.

use axum::extract::{RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::access::Admin;
use crate::admin::{parse_webhook_id, webhook_id};
use crate::contract::GivenUpWebhook;
use crate::http::error::ApiError;
use crate::http::extract::Fields;
use crate::http::query::{number, parameter};
use crate::http::state::AppState;
use crate::store::{GivenUp, GivenUpKey, InvalidCursor, NewAuditEntry};

/// Events in an answer if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// Events in an answer at most.
const MAX_LIMIT: u64 = 100;

/// The routes of webhooks.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/api/admin/webhooks", get(list)).route("/api/admin/webhooks/retry", post(retry))
}

async fn list(
    State(state): State<AppState>,
    Admin(_): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let query = query.unwrap_or_default();
    let after = parameter(&query, "after")?.map(|cursor| {
        parse_cursor(&cursor).ok_or_else(|| ApiError::field("after", InvalidCursor.to_string()))
    });
    let limit = number(&query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // One more than is answered shows whether there are more.
    let mut events = state.store.given_up(after.transpose()?, limit + 1).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let data: Vec<_> = events.iter().map(shown).collect();
    Ok(Json(match events.last().filter(|_| has_more) {
        Some(last) => json!({"success": true, "data": data, "cursor": cursor(last.key)}),
        None => json!({"success": true, "data": data}),
    }))
}

fn shown(event: &GivenUp) -> GivenUpWebhook<'_> {
    GivenUpWebhook {
        id: webhook_id(event.key.1, event.at),
        origin: &event.origin,
        r#type: event.kind.map(crate::store::EventKind::name),
        timestamp: event.at,
        attempts: event.attempts,
        given_up_at: event.given_up_at,
        error: &event.error,
    }
}

fn cursor(GivenUpKey(subscriber, number): GivenUpKey) -> String {
    format!("{subscriber}-{number}")
}

fn parse_cursor(text: &str) -> Option<GivenUpKey> {
    let (subscriber, number) = text.split_once('-')?;
    let key = GivenUpKey(subscriber.parse().ok()?, number.parse().ok()?);
    // One place has one cursor.
    Some(key).filter(|key| cursor(*key) == text)
}

async fn retry(
    State(state): State<AppState>,
    Admin(actor): Admin,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let mut errors = Vec::new();
    let id = fields.text("id", &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let event = id.map(|id| {
        parse_webhook_id(&id).ok_or_else(|| ApiError::field("id", "id must be a webhook-id".to_owned()))
    });
    let retried = state.store.retry_given_up(event.transpose()?).await?;
    if retried > 0 {
        let entry = NewAuditEntry::new(actor, "webhooks.retry", None).with(&json!({"retried": retried}));
        state.store.note_audit(entry).await?;
    }
    Ok(Json(json!({"success": true, "data": {"retried": retried}})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_cursor() {
        assert_eq!(parse_cursor("3-70"), Some(GivenUpKey(3, 70)));
        for text in ["", "3", "3-", "-70", "03-70", "3-+70", "3-70-1", "x-1"] {
            assert_eq!(parse_cursor(text), None, "{text}");
        }
    }
}
