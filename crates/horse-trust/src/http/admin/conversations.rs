//! `/api/admin/conversations` and `/api/admin/listings`: conversations that the platform makes, and what it shows of horses.

use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, patch, put};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::access::Admin;
use crate::admin::Lookup as _;
use crate::contract::{self, FieldError, Listing, ListingChange};
use crate::http::conversations::json_text;
use crate::http::error::ApiError;
use crate::http::extract::{Fields, PathId};
use crate::http::state::AppState;
use crate::id::Id;
use crate::json::LossyString;
use crate::store::{Conversation, NewAuditEntry};

/// What is wrong with the participants.
const INVALID_PARTICIPANTS: &str = "participants must be the ids of two different users";

/// The routes of conversations and listings.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/api/admin/conversations", put(make))
        .route("/api/admin/conversations/{id}", get(show).patch(change))
        .route("/api/admin/listings/{horse_id}", patch(change_listings))
}

async fn make(
    State(state): State<AppState>,
    Admin(actor): Admin,
    fields: Fields,
) -> Result<Response, ApiError> {
    let mut errors = Vec::new();
    let participants = participants(&fields);
    if participants.is_none() {
        errors.push(FieldError { path: "participants", msg: INVALID_PARTICIPANTS.to_owned() });
    }
    let horse_id = fields.text("horse_id", &mut errors).and_then(|text| {
        let id = Id::parse(&text);
        if let Err(error) = &id {
            errors.push(FieldError { path: "horse_id", msg: format!("horse_id: {error}") });
        }
        id.ok()
    });
    let change = listing_change(&fields, &mut errors);
    let (Some(participants), true) = (participants, errors.is_empty()) else {
        return Err(ApiError::invalid(errors));
    };
    let (conversation, is_new) = state.chat.put_conversation(participants, horse_id, &change).await?;
    if is_new || change != ListingChange::Keep {
        let action = if is_new { "conversation.create" } else { "conversation.update" };
        let entry = NewAuditEntry::new(actor, action, Some(conversation.id.clone()));
        let entry =
            entry.with(&json!({"participants": conversation.participants, "listing": title(&change)}));
        state.store.note_audit(entry).await?;
    }
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    answer(&state, status, &conversation).await
}

async fn show(
    State(state): State<AppState>,
    Admin(_): Admin,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let conversation = state.chat.conversation_of_any(&id).await?;
    answer(&state, StatusCode::OK, &conversation).await
}

async fn change(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(id): PathId,
    fields: Fields,
) -> Result<Response, ApiError> {
    let mut errors = Vec::new();
    let change = listing_change(&fields, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let conversation = state.chat.change_listing(&id, &change).await?;
    if change != ListingChange::Keep {
        let entry = NewAuditEntry::new(actor, "conversation.update", Some(conversation.id.clone()));
        let entry = entry.with(&json!({"listing": title(&change)}));
        state.store.note_audit(entry).await?;
    }
    answer(&state, StatusCode::OK, &conversation).await
}

async fn change_listings(
    State(state): State<AppState>,
    Admin(actor): Admin,
    PathId(horse): PathId,
    fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let horse =
        Id::parse(&horse).map_err(|error| ApiError::field("horse_id", format!("horse_id: {error}")))?;
    let mut errors = Vec::new();
    let listing = listing(&fields, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    let changed = state.chat.set_horse_listing(&horse, &listing).await?;
    let entry = NewAuditEntry::new(actor, "listing.update", Some(horse));
    state.store.note_audit(entry.with(&json!({"listing": listing.title}))).await?;
    Ok(Json(json!({"success": true, "changed": changed})))
}

/// What the audit notes of a listing: its title, null if there is none.
fn title(change: &ListingChange) -> Option<&str> {
    match change {
        ListingChange::Set(listing) => Some(&listing.title),
        ListingChange::Keep | ListingChange::Remove => None,
    }
}

async fn answer(
    state: &AppState,
    status: StatusCode,
    conversation: &Conversation,
) -> Result<Response, ApiError> {
    let shown = state.chat.conversation_for_platform(conversation).await?;
    Ok(json_text(status, contract::success(&shown)))
}

/// The ids of two different users.
fn participants(fields: &Fields) -> Option<[Id; 2]> {
    let ids: [&RawValue; 2] = serde_json::from_str(fields.value("participants")?.get()).ok()?;
    let id = |value: &RawValue| Id::parse(&LossyString::parse(value.get())?).ok();
    let [one, other] = [id(ids[0])?, id(ids[1])?];
    let is_user = |id: &Id| *id != Id::SYSTEM;
    (one != other && is_user(&one) && is_user(&other)).then_some([one, other])
}

/// The field `listing`, which null takes away.
fn listing_change(fields: &Fields, errors: &mut Vec<FieldError>) -> ListingChange {
    let value = match fields.value("listing").map(RawValue::get) {
        None => return ListingChange::Keep,
        Some("null") => return ListingChange::Remove,
        Some(value) => value,
    };
    let Some(of_listing) = Fields::parse(value) else {
        errors.push(FieldError { path: "listing", msg: "listing must be an object".to_owned() });
        return ListingChange::Keep;
    };
    let mut of_fields = Vec::new();
    let listing = listing(&of_listing, &mut of_fields);
    let named = |error: FieldError| FieldError { path: "listing", msg: format!("listing: {}", error.msg) };
    errors.extend(of_fields.into_iter().map(named));
    ListingChange::Set(listing)
}

/// A LISTING; what is no field of it is passed over.
fn listing(fields: &Fields, errors: &mut Vec<FieldError>) -> Listing {
    let listing = Listing {
        title: fields.text("title", errors).unwrap_or_default(),
        image_url: fields.text("image_url", errors),
        url: fields.text("url", errors),
        price: fields.text("price", errors),
        status: fields.text("status", errors),
        custom: fields.custom("custom", errors),
    };
    if errors.is_empty() {
        errors.extend(listing.problems().into_iter().map(|(path, msg)| FieldError { path, msg }));
    }
    listing
}
