//! What admins look at in a dispute: reports, and texts that were withdrawn.

use axum::extract::{RawQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::access::Admin;
use crate::contract::{DecideReport, FieldError, Refusal};
use crate::http::error::ApiError;
use crate::http::extract::{Fields, PathId};
use crate::http::query::{number, parameter};
use crate::http::state::AppState;
use crate::id::Id;
use crate::store::{InvalidCursor, Page, ReportDecision, ReportQuery, ReportState};

/// Entries a page if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// Entries a page at most.
const MAX_LIMIT: u64 = 100;
/// The last page that can be asked for.
const MAX_PAGE: u64 = 1_000_000;

/// What is wrong with another state.
const NO_STATE: &str = "state must be open, resolved or dismissed";

/// The routes of reports and withdrawn texts.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/admin/reports", get(reports))
        .route("/api/admin/reports/{id}", get(report).patch(decide))
        .route("/api/admin/withdrawn", get(withdrawn))
}

async fn reports(
    State(state): State<AppState>,
    Admin(_): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<ReportList>, ApiError> {
    let reports = state.chat.reports(report_query(&query.unwrap_or_default())?).await?;
    let cursor = reports.cursor.map(|key| key.to_string());
    Ok(Json(ReportList { success: true, data: reports.data, cursor }))
}

/// An answer with one thing.
#[derive(Serialize)]
struct Success<T> {
    success: bool,
    data: T,
}

impl<T> Success<T> {
    fn new(data: T) -> Self {
        Self { success: true, data }
    }
}

/// Some reports, and where the next begin; left out if there are no more.
#[derive(Serialize)]
struct ReportList {
    success: bool,
    data: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

async fn report(
    State(state): State<AppState>,
    Admin(_): Admin,
    PathId(id): PathId,
) -> Result<Json<Success<Box<RawValue>>>, ApiError> {
    Ok(Json(Success::new(state.chat.report(&id).await?)))
}

async fn decide(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Json<Success<Box<RawValue>>>, ApiError> {
    let decision = decision(&fields)?;
    Ok(Json(Success::new(state.chat.decide_report(&id, decision, actor).await?)))
}

fn decision(fields: &Fields) -> Result<ReportDecision, ApiError> {
    let mut errors = Vec::new();
    let state = fields.text("state", &mut errors);
    let note = fields.text("note", &mut errors);
    let state = state.as_deref().and_then(ReportState::from_name);
    if state.is_none() && !errors.iter().any(|error| error.path == "state") {
        errors.push(FieldError { path: "state", msg: NO_STATE.to_owned() });
    }
    let checked = DecideReport::check_note(note.as_deref().unwrap_or_default());
    if let Err(msg) = checked {
        errors.push(FieldError { path: "note", msg: msg.to_owned() });
    }
    match (state, checked) {
        (Some(state), Ok(note)) if errors.is_empty() => {
            let note = fields.has("note").then(|| note.map(str::to_owned));
            Ok(ReportDecision { state, note })
        }
        _ => Err(ApiError::invalid(errors)),
    }
}

/// Reports are read by a cursor, or by the number of a page.
fn report_query(query: &str) -> Result<ReportQuery, ApiError> {
    let state = parameter(query, "state")?
        .map(|name| ReportState::from_name(&name).ok_or_else(|| ApiError::field("state", NO_STATE)));
    let after = parameter(query, "after")?.map(|cursor| {
        // One place has one cursor: neither `+1` nor `01`.
        let key = cursor.parse::<i64>().ok().filter(|key| key.to_string() == cursor);
        key.ok_or_else(|| ApiError::field("after", InvalidCursor.to_string()))
    });
    let Page { number, limit } = page(query)?;
    Ok(ReportQuery {
        state: state.transpose()?,
        after: after.transpose()?,
        skip: (number - 1).saturating_mul(limit),
        limit,
    })
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
