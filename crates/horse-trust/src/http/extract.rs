//! What routes take out of a request: who asks, and the fields of a JSON body.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use http::{StatusCode, header};
use serde_json::value::RawValue;

use super::error::FieldError;
use super::{ApiError, AppState};
use crate::auth::Claims;
use crate::json::LossyString;

/// The user who asks, by a valid token.
pub(super) struct Authenticated(pub(super) Claims);

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
        });
        let token = token.ok_or(ApiError::NoToken)?;
        state.tokens.verify(token).map(Self).map_err(|_| ApiError::InvalidToken)
    }
}

/// The fields of a body that is a JSON object; no body has none.
pub(super) struct Fields(HashMap<String, Box<RawValue>>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::TooLarge
            } else {
                ApiError::Malformed("The body could not be read")
            }
        })?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(HashMap::new()));
        }
        let text = std::str::from_utf8(&body).map_err(|_| ApiError::Malformed("The body is not UTF-8"))?;
        if !text.trim_start().starts_with('{') {
            return Err(ApiError::Malformed("The body is not a JSON object"));
        }
        serde_json::from_str(text).map(Self).map_err(|_| ApiError::Malformed("The body is not valid JSON"))
    }
}

impl Fields {
    /// A text; `None` if it is missing or null. Another type is noted in `errors`.
    pub(super) fn text(&self, path: &'static str, errors: &mut Vec<FieldError>) -> Option<String> {
        let value = self.0.get(path)?.get();
        if value == "null" {
            return None;
        }
        let text = LossyString::parse(value);
        if text.is_none() {
            errors.push(FieldError { path, msg: format!("{path} must be a string") });
        }
        text
    }
}
