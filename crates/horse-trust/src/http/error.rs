//! The errors of requests, and the one table from error to answer.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::admin::PersonError;
use crate::auth::Busy;
use crate::contract::{Error, FieldError, Refusal};
use crate::store::StoreError;

/// Seconds after which a refused export may be tried again.
const EXPORT_RETRY_AFTER: u64 = 10;

/// Why a request fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// The body is not a JSON object, or is incomplete.
    Malformed(&'static str),
    /// Invalid fields: the message, and each field.
    Invalid(String, Vec<FieldError>),
    /// No `Authorization: Bearer`.
    NoToken,
    /// A token that does not verify.
    InvalidToken,
    /// Wrong e-mail or password.
    InvalidCredentials,
    /// A registration asked for the role of an admin.
    AdminRole,
    /// The route is for admins.
    AdminsOnly,
    /// The account is suspended.
    Suspended,
    /// No such account.
    UserNotFound,
    /// No such route.
    RouteNotFound,
    /// The e-mail belongs to another account.
    EmailTaken,
    /// Only the platform can sign tokens.
    NoPrivateKey,
    /// The body is too long.
    TooLarge,
    /// Too many of something; seconds to wait.
    TooMany(&'static str, u64),
    /// The chat refuses.
    Refused(Refusal),
    /// An internal failure, logged where it happened.
    Internal,
}

impl ApiError {
    /// One invalid field.
    pub fn field(path: &'static str, msg: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { path, msg: msg.into() }])
    }

    /// Several invalid fields.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Self::Invalid("Validation error".to_owned(), errors)
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TextRequired | Refusal::TextTooLong | Refusal::InvalidMessage => {
                let msg = refusal.to_string();
                Self::Invalid(msg.clone(), vec![FieldError { path: "text", msg }])
            }
            Refusal::InvalidClientId => {
                let msg = "client_id must be 1 to 64 characters".to_owned();
                Self::Invalid(refusal.to_string(), vec![FieldError { path: "client_id", msg }])
            }
            Refusal::ReasonRequired => Self::field("reason", refusal.to_string()),
            Refusal::SenderNotInConversation => Self::field("sender_id", refusal.to_string()),
            Refusal::TooManyMessages { retry_after } => Self::TooMany("Too many messages", retry_after),
            Refusal::UserNotFound => Self::UserNotFound,
            Refusal::SendFailed | Refusal::StoreFailed => Self::Internal,
            refusal => Self::Refused(refusal),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::EmailTaken => Self::EmailTaken,
            StoreError::Blocked { by_sender } => Self::Refused(Refusal::blocked(by_sender)),
            StoreError::ClientIdUsed => Self::Refused(Refusal::ClientIdUsed),
            StoreError::Engine(error) => {
                tracing::error!(%error, "the store failed");
                Self::Internal
            }
        }
    }
}

impl From<PersonError> for ApiError {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Unknown => Self::UserNotFound,
            PersonError::TooManyExports => Self::TooMany("Too many exports at once", EXPORT_RETRY_AFTER),
            PersonError::NoPrivateKey => Self::NoPrivateKey,
            PersonError::Store(error) => error.into(),
        }
    }
}

impl From<Busy> for ApiError {
    fn from(_: Busy) -> Self {
        Self::TooMany("Too many attempts", 1)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, message) = match &self {
            Self::Malformed(message) => (StatusCode::BAD_REQUEST, (*message).to_owned()),
            Self::Invalid(message, _) => (StatusCode::UNPROCESSABLE_ENTITY, message.clone()),
            Self::NoToken => (StatusCode::UNAUTHORIZED, "No token provided".to_owned()),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "Invalid or expired token".to_owned()),
            Self::InvalidCredentials => (StatusCode::UNAUTHORIZED, "Invalid credentials".to_owned()),
            Self::AdminRole => (StatusCode::FORBIDDEN, "Cannot register as admin".to_owned()),
            Self::AdminsOnly => (StatusCode::FORBIDDEN, "Admins only".to_owned()),
            Self::Suspended => (StatusCode::FORBIDDEN, "Account suspended".to_owned()),
            Self::UserNotFound => (StatusCode::NOT_FOUND, "User not found".to_owned()),
            Self::RouteNotFound => (StatusCode::NOT_FOUND, "Route not found".to_owned()),
            Self::NoPrivateKey => (StatusCode::CONFLICT, "Tokens are signed by the platform".to_owned()),
            Self::EmailTaken => (StatusCode::CONFLICT, "Email already registered".to_owned()),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request body is too large".to_owned()),
            Self::TooMany(message, _) => (StatusCode::TOO_MANY_REQUESTS, (*message).to_owned()),
            Self::Refused(refusal) => (status_of(*refusal), refusal.to_string()),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "Server error".to_owned()),
        };
        let retry_after = if let Self::TooMany(_, seconds) = &self { Some(*seconds) } else { None };
        let errors = if let Self::Invalid(_, errors) = self { Some(errors) } else { None };
        let mut response =
            (status, Json(Error { success: false, message, errors, retry_after })).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A refusal's status, which the contract has as a number.
fn status_of(refusal: Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST)
}
