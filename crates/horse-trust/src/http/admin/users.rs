//! `/api/admin/users`: the platform's people.

use axum::extract::{RawQuery, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::access::Admin;
use crate::admin::{Lookup as _, user_patch, view};
use crate::contract::FieldError;
use crate::http::error::ApiError;
use crate::http::extract::{Fields, PathId};
use crate::http::query::{number, parameter};
use crate::http::state::AppState;
use crate::id::Id;
use crate::store::{PeopleQuery, StoreError, UserPatch};
use crate::unicode;

/// People in an answer if nothing is said.
const DEFAULT_LIMIT: u64 = 30;
/// People in an answer at most.
const MAX_LIMIT: u64 = 100;
/// Users of a batch at most.
const MAX_BATCH: usize = 1000;
/// The longest text that is searched for, in characters.
const MAX_SEARCH: usize = 100;
/// What is wrong with an id.
const INVALID_ID: &str =
    "An id has 1 to 64 characters of A-Z, a-z, 0-9, _ and -, and system is the platform's own";

/// The routes of people.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/admin/users", get(list))
        .route("/api/admin/users/batch", post(set_batch))
        .route("/api/admin/users/{id}", put(set).get(one).delete(erase))
}

async fn set(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
    fields: Fields,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let id = account_id(&id).ok_or_else(|| ApiError::field("_id", INVALID_ID))?;
    let patch = user_patch(id, &fields).map_err(ApiError::invalid)?;
    let (is_created, person) = state.people.set(patch, actor).await?;
    let status = if is_created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({"success": true, "data": view::person(&person)}))))
}

/// The id of an account, which is not that of the platform's own messages.
fn account_id(text: &str) -> Option<Id> {
    Id::parse(text).ok().filter(|id| *id != Id::SYSTEM)
}

async fn one(
    State(state): State<AppState>,
    Admin(_): Admin,
    PathId(id): PathId,
) -> Result<Json<Value>, ApiError> {
    let person = state.store.person(&known_id(&id)?).await?.ok_or(ApiError::UserNotFound)?;
    Ok(Json(json!({"success": true, "data": view::person(&person)})))
}

/// Erases a user. An erasure that takes long goes on after the answer, which then is 202.
async fn erase(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let with_messages = match parameter(query.as_deref().unwrap_or_default(), "messages")?.as_deref() {
        None | Some("keep") => false,
        Some("delete") => true,
        Some(_) => return Err(ApiError::field("messages", "messages must be keep or delete")),
    };
    let user = account_id(&id).ok_or(ApiError::UserNotFound)?;
    let (is_finished, person) = state.erasures.erase(&user, with_messages, actor).await?;
    let status = if is_finished { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(json!({"success": true, "data": view::person(&person)}))))
}

/// The id of a user in a path. Nobody has what is no id.
pub(super) fn known_id(id: &str) -> Result<Id, ApiError> {
    Id::parse(id).map_err(|_| ApiError::UserNotFound)
}

async fn list(
    State(state): State<AppState>,
    Admin(_): Admin,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let query = query.unwrap_or_default();
    let after = parameter(&query, "after")?.map(|id| Id::parse(&id)).transpose();
    let text = parameter(&query, "query")?.map(|text| unicode::nfc(text.trim()).to_lowercase());
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_SEARCH) {
        return Err(ApiError::field("query", format!("query may have {MAX_SEARCH} characters")));
    }
    let wanted = PeopleQuery {
        after: after
            .map_err(|_| ApiError::field("after", "after must be the cursor of the answer before"))?,
        email: parameter(&query, "email")?.map(|email| unicode::email(&email)),
        text: text.filter(|text| !text.is_empty()),
    };
    let limit = number(&query, "limit", MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    // PostgreSQL takes no U+0000, and nobody has one.
    if [&wanted.email, &wanted.text].into_iter().flatten().any(|text| text.contains('\0')) {
        return Ok(Json(json!({"success": true, "data": []})));
    }
    let found = state.store.people(wanted, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    let data: Vec<_> = found.people.iter().map(view::person).collect();
    Ok(Json(match found.next {
        Some(cursor) => json!({"success": true, "data": data, "cursor": cursor}),
        None => json!({"success": true, "data": data}),
    }))
}

/// Makes or changes up to 1000 users. One that is not right changes none of the others.
async fn set_batch(
    State(state): State<AppState>,
    Admin(actor): Admin,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let users = fields.value("users").map(RawValue::get).filter(|users| users.starts_with('['));
    let users = users.and_then(|users| serde_json::from_str::<Vec<&RawValue>>(users).ok());
    let users = users.filter(|users| users.len() <= MAX_BATCH);
    let message = || ApiError::field("users", format!("users must be an array of at most {MAX_BATCH} users"));
    let read: Vec<_> = users.ok_or_else(message)?.into_iter().map(batch_patch).collect();
    let patches = read.iter().filter_map(|patch| patch.as_ref().ok().cloned()).collect();
    let mut outcomes = state.people.set_all(patches, actor).await?.into_iter();
    let mut data = Vec::with_capacity(read.len());
    for patch in read {
        let (id, errors) = match patch {
            Err(wrong) => wrong,
            Ok(UserPatch { id, .. }) => match outcomes.next() {
                Some(Ok(is_created)) => {
                    data.push(json!({"_id": id, "created": is_created}));
                    continue;
                }
                Some(Err(StoreError::EmailTaken)) => {
                    (Some(id.to_string()), wrong("email", "Email already registered"))
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Err(StoreError::Engine("an outcome of a batch is missing".into()).into()),
            },
        };
        data.push(json!({"_id": id, "created": false, "errors": errors}));
    }
    Ok(Json(json!({"success": true, "data": data})))
}

/// The patch of one user of a batch; else the id as it was given, and what is wrong.
fn batch_patch(user: &RawValue) -> Result<UserPatch, (Option<String>, Vec<FieldError>)> {
    let fields = Fields::parse(user.get()).ok_or_else(|| (None, wrong("_id", "A user must be an object")))?;
    let given = fields.text("_id", &mut Vec::new());
    let Some(id) = given.as_deref().and_then(account_id) else {
        return Err((given, wrong("_id", INVALID_ID)));
    };
    user_patch(id, &fields).map_err(|errors| (given, errors))
}

fn wrong(path: &'static str, msg: &str) -> Vec<FieldError> {
    vec![FieldError { path, msg: msg.to_owned() }]
}
