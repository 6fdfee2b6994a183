//! Who is let in to `/api/admin`: the platform with one of its keys, and admins with their tokens.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::http::address::client_address;
use crate::http::error::ApiError;
use crate::http::extract::{Authenticated, bearer_token};
use crate::http::state::AppState;
use crate::store::{Actor, Role};

/// Where the routes of admins are.
const PREFIX: &str = "/api/admin/";

/// Proof that the request has a key of the platform or a valid token of an admin; says whose.
pub(in crate::http) struct Admin(pub(in crate::http) Actor);

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let token = bearer_token(parts).ok_or(ApiError::NoToken)?;
        let address = client_address(&parts.extensions);
        if let Some(number) = key_number(state, &token, address)? {
            return Ok(Self(Actor::Key(number)));
        }
        // A wrong token is no guess of a key: an admin's page goes on asking when its token has ended.
        if !state.api_keys.is_empty() && !is_like_a_jwt(&token) {
            state.throttle.key_failed(address);
            tracing::info!(%address, "a key was refused");
            return Err(ApiError::InvalidToken);
        }
        let Authenticated(claims) = Authenticated::from_request_parts(parts, state).await?;
        if claims.role == Role::Admin {
            Ok(Self(Actor::User(claims.user)))
        } else {
            Err(ApiError::AdminsOnly)
        }
    }
}

/// The number of the platform's key that `token` is. Fails if the address has tried too many wrong ones.
fn key_number(state: &AppState, token: &str, address: IpAddr) -> Result<Option<usize>, ApiError> {
    if state.api_keys.is_empty() || is_like_a_jwt(token) {
        return Ok(None);
    }
    let too_many = |wait: std::time::Duration| ApiError::TooMany("Too many attempts", wait.as_secs() + 1);
    state.throttle.check_key(address).map_err(too_many)?;
    Ok(state.api_keys.number_of(token))
}

/// Whether a request to a route of admins has a key of the platform, so that its body is worth reading.
pub(in crate::http) fn has_key(parts: &Parts, state: &AppState) -> bool {
    parts.uri.path().starts_with(PREFIX)
        && bearer_token(parts).is_some_and(|token| {
            let address = client_address(&parts.extensions);
            key_number(state, &token, address).is_ok_and(|number| number.is_some())
        })
}

/// Whether the text has the form of a token: three parts, the first a JSON object in base64url. No key has it, as
/// `API_KEYS` refuses such a one.
fn is_like_a_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}
