//! `/api/auth`: registration, login, the own account, logout.

use axum::extract::{FromRequest, Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::address::client_address;
use super::error::ApiError;
use super::extract::{Authenticated, Fields};
use super::state::AppState;
use crate::auth::{Lane, Turn, Verdict};
use crate::chat::view;
use crate::contract::{FieldError, person};
use crate::id::Id;
use crate::store::{Profile, Role, User};
use crate::timestamp::Timestamp;
use crate::unicode;

/// The longest password, in bytes; a hash takes as long for it as for a short one.
const MAX_PASSWORD: usize = 1024;
/// The shortest password, in characters.
const MIN_PASSWORD: usize = 8;
/// How long after its arrival a refused login is answered. An imported bcrypt hash takes longer than an argon2 hash or the
/// decoy; without this the time would reveal which e-mails have an account.
const REFUSAL_TIME: Duration = Duration::from_millis(400);

/// The routes of accounts. Nobody registers or signs in where a platform issues all tokens; what makes a token void holds
/// for theirs, too.
pub(super) fn router(has_accounts: bool) -> Router<AppState> {
    let router = Router::new()
        .route("/api/auth/me", get(me))
        .route("/api/auth/logout", post(logout))
        .route("/api/auth/logout-everywhere", post(logout_everywhere));
    if !has_accounts {
        return router;
    }
    router.route("/api/auth/register", post(register)).route("/api/auth/login", post(login))
}

async fn register(
    State(state): State<AppState>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let address = client_address(request.extensions());
    let fields = Fields::from_request(request, &state).await?;
    let mut errors = Vec::new();
    let email = required(&fields, "email", person::email, &mut errors);
    let password = required(&fields, "password", password, &mut errors);
    let full_name = required(&fields, "full_name", person::full_name, &mut errors);
    let phone = fields
        .text("phone", &mut errors)
        .and_then(|text| checked("phone", person::phone(&text), &mut errors));
    let role = fields.text("role", &mut errors);
    if role.as_deref() == Some("admin") {
        return Err(ApiError::AdminRole);
    }
    if role.is_some_and(|role| role != "seller") {
        errors.push(FieldError { path: "role", msg: "Role must be seller".to_owned() });
    }
    let (Some(email), Some(password), true) = (email, password, errors.is_empty()) else {
        return Err(ApiError::invalid(errors));
    };
    // Counted once all fields are valid: from here on the answer reveals whether the e-mail has an account.
    state.registrations.check(address).map_err(too_many_attempts)?;
    let id = Id::unguessable().map_err(|error| {
        tracing::error!(%error, "the system has no random bytes");
        ApiError::Internal
    })?;
    let user = User {
        profile: Profile { id, full_name, profile_picture_url: None, is_deleted: false },
        email: Some(email),
        password_hash: state.passwords.hash(password, Turn::new(Lane::Registration, address)).await?,
        role: Role::Seller,
        phone,
        is_active: true,
        created_at: Timestamp::now(),
    };
    state.store.create_user(user.clone()).await?;
    state.chat.profile_changed(&user.profile.id);
    tracing::info!(user = %user.profile.id, "account made");
    let token = issue_token(&state, &user).await?;
    Ok((StatusCode::CREATED, Json(json!({"success": true, "token": token, "user": view::account(&user)}))))
}

/// A field that has to be there, as `check` takes it; one error if it is not right.
fn required(
    fields: &Fields,
    path: &'static str,
    check: fn(&str) -> Result<String, &'static str>,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    let before = errors.len();
    match fields.text(path, errors) {
        // Of another type.
        None if errors.len() > before => None,
        text => checked(path, check(&text.unwrap_or_default()), errors),
    }
}

fn checked(
    path: &'static str,
    result: Result<String, &'static str>,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    result.map_err(|msg| errors.push(FieldError { path, msg: msg.to_owned() })).ok()
}

fn password(text: &str) -> Result<String, &'static str> {
    if text.chars().count() >= MIN_PASSWORD && text.len() <= MAX_PASSWORD {
        Ok(text.to_owned())
    } else {
        Err("Password must be 8 to 1024 characters")
    }
}

async fn login(State(state): State<AppState>, request: Request) -> Result<Json<Value>, ApiError> {
    let refusal_time = Instant::now() + REFUSAL_TIME;
    let address = client_address(request.extensions());
    let fields = Fields::from_request(request, &state).await?;
    let mut errors = Vec::new();
    let email = fields.text("email", &mut errors).map(|email| unicode::email(&email));
    let password = fields.text("password", &mut errors);
    for (path, is_missing) in [("email", email.is_none()), ("password", password.is_none())] {
        if is_missing && !errors.iter().any(|error| error.path == path) {
            errors.push(FieldError { path, msg: format!("{path} is required") });
        }
    }
    let (Some(email), Some(password), true) = (email, password, errors.is_empty()) else {
        return Err(ApiError::invalid(errors));
    };
    if email.len() > person::MAX_EMAIL || password.len() > MAX_PASSWORD {
        return Err(ApiError::InvalidCredentials);
    }
    let check_throttle = || state.throttle.check(&email, address).map_err(too_many_attempts);
    check_throttle()?;
    let user = state.store.user_by_email(&email).await?;
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let turn = state.throttle.turn(&email, address);
    let verdict = state.passwords.verify(password.clone(), stored, turn.clone()).await?;
    // Again, so that parallel guesses count as if they had come one by one.
    check_throttle()?;
    let (Some(user), Verdict::Right | Verdict::RightButOld) = (user, verdict) else {
        state.throttle.failed(&email, address);
        tracing::info!(%address, "a login was refused");
        tokio::time::sleep_until(refusal_time).await;
        return Err(ApiError::InvalidCredentials);
    };
    state.throttle.succeeded(&email, address);
    if !user.is_active {
        return Err(ApiError::Suspended);
    }
    if verdict == Verdict::RightButOld {
        // The login succeeds in any case; the next one tries again.
        match state.passwords.hash(password, turn).await {
            Ok(hash) => state.store.set_password_hash(&user.profile.id, &hash).await?,
            Err(error) => tracing::warn!(%error, user = %user.profile.id, "an old hash was kept"),
        }
    }
    let token = issue_token(&state, &user).await?;
    Ok(Json(json!({"success": true, "token": token, "user": view::account(&user)})))
}

async fn me(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    let user = state.store.user(&claims.user).await?.ok_or(ApiError::UserNotFound)?;
    Ok(Json(json!({"success": true, "user": view::account(&user)})))
}

/// Makes the token of the request void and closes its sockets. It needs no rate limit: each call uses up a token, which
/// costs a login.
async fn logout(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    state.chat.end_session(&claims).await?;
    Ok(Json(json!({"success": true})))
}

/// Makes all tokens of the user void and closes all sockets.
async fn logout_everywhere(
    State(state): State<AppState>,
    Authenticated(claims): Authenticated,
) -> Result<Json<Value>, ApiError> {
    state.chat.end_sessions(&claims.user).await?;
    Ok(Json(json!({"success": true})))
}

/// Issues a token for the user. Its generation is read from the store, because the one in memory may be older than a
/// revocation on another node.
async fn issue_token(state: &AppState, user: &User) -> Result<String, ApiError> {
    let generation = state.store.session_generation(&user.profile.id).await?;
    state.tokens.issue(&user.profile.id, user.role, generation).map_err(|error| {
        tracing::error!(%error, "no token could be issued");
        ApiError::Internal
    })
}

fn too_many_attempts(wait: Duration) -> ApiError {
    ApiError::TooMany("Too many attempts", wait.as_secs() + 1)
}
