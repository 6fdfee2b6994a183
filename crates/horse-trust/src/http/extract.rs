//! Extractors: the authenticated user, the id in a path, and the fields of a JSON body.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::request::Parts;
use http::{Method, header};
use serde_json::value::RawValue;

use super::address::client_address;
use super::error::ApiError;
use super::state::AppState;
use crate::admin::Lookup;
use crate::auth::{Claims, Rejection};
use crate::contract::{Custom, FieldError, malformed};
use crate::json::{self, LossyString};

/// The token of a request, if it has one.
pub(super) fn bearer_token(parts: &Parts) -> Option<Cow<'_, str>> {
    bearer(parts.headers.get(header::AUTHORIZATION)?.as_bytes())
}

/// The claims of the request's valid token.
pub(super) struct Authenticated(pub(super) Claims);

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let token = bearer_token(parts).ok_or(ApiError::NoToken)?;
        let claims = state.tokens.verify(&token).map_err(|rejection| {
            tracing::info!(address = %client_address(&parts.extensions), reason = %rejection, "a token was refused");
            match rejection {
                Rejection::Invalid => ApiError::InvalidToken,
                Rejection::Suspended(_) => ApiError::Suspended,
            }
        })?;
        // Requests that change something are counted by the rule of what they change.
        if matches!(parts.method, Method::GET | Method::HEAD) {
            state.chat.limits().request(&claims.user)?;
        }
        Ok(Self(claims))
    }
}

/// The token of `Bearer TOKEN`: the scheme in any case, and white space between (RFC 9110, section 11). What is no text is
/// no valid token either, so U+FFFD may stand for it.
fn bearer(value: &[u8]) -> Option<Cow<'_, str>> {
    let (scheme, token) = value.split_at(value.iter().position(|byte| matches!(byte, b' ' | b'\t'))?);
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer") && !token.is_empty()).then(|| String::from_utf8_lossy(token))
}

/// The id in a path. Empty, which no id is, if the path is not UTF-8: the route answers as for an unknown id.
pub(super) struct PathId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let path = Path::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(id)| id).unwrap_or_default()))
    }
}

/// The fields of a body that is a JSON object; no body has none.
pub(super) struct Fields(HashMap<LossyString, Box<RawValue>>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|_| ApiError::Malformed(malformed::UNREADABLE))?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(HashMap::new()));
        }
        let text = std::str::from_utf8(&body).map_err(|_| ApiError::Malformed(malformed::NOT_UTF_8))?;
        if !text.trim_start().starts_with('{') {
            return Err(ApiError::Malformed(malformed::NO_OBJECT));
        }
        let fields = serde_json::from_str::<json::Fields<_>>(text);
        fields.map(|fields| Self(fields.0)).map_err(|error| {
            let is_object = error.is_data();
            ApiError::Malformed(if is_object { malformed::TOO_MANY_FIELDS } else { malformed::NO_JSON })
        })
    }
}

impl Lookup for Fields {
    fn value(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(|value| &**value)
    }
}

impl Fields {
    /// The fields of a JSON object; `None` if it is none, or has too many.
    pub(super) fn parse(object: &str) -> Option<Self> {
        let is_object = object.trim_start().starts_with('{');
        let fields = is_object.then(|| serde_json::from_str::<json::Fields<_>>(object).ok());
        fields.flatten().map(|fields| Self(fields.0))
    }

    /// A text; `None` if it is missing or null. Another type adds an entry to `errors`.
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

    /// Whether the field is there, be it null.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// An object of the platform's; `None` if it is missing or null. Anything else adds an entry to `errors`.
    pub(super) fn custom(&self, path: &'static str, errors: &mut Vec<FieldError>) -> Option<Custom> {
        let value = self.0.get(path).map(|value| value.get()).filter(|value| *value != "null")?;
        let custom = Custom::parse(value);
        if let Err(error) = custom {
            errors.push(FieldError { path, msg: format!("{path}: {error}") });
        }
        custom.ok()
    }

    /// A whole number that is not negative; `None` if it is missing or null.
    pub(super) fn number(&self, path: &'static str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.0.get(path).map(|value| value.get()).filter(|value| *value != "null") else {
            return Ok(None);
        };
        let error = || ApiError::field(path, format!("{path} must be a whole number from 0"));
        json::whole_number(value).map(Some).ok_or_else(error)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_bearer_tokens_are_tokens() {
        for value in
            ["", "Bearer", "Bearer ", "Bearer \t ", "Basic dTpw", "Bearertoken", " Bearer token", "token"]
        {
            assert_eq!(bearer(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(bearer(b"Bearer \xff").as_deref(), Some("\u{fffd}"));
    }

    proptest! {
        #[test]
        fn a_token_is_read_however_it_is_sent(
            scheme in "[bB][eE][aA][rR][eE][rR]", space in "[ \t]{1,3}", token in "[!-~]{1,30}", end in "[ \t]{0,2}",
        ) {
            let value = format!("{scheme}{space}{token}{end}");
            prop_assert_eq!(bearer(value.as_bytes()), Some(Cow::Borrowed(token.as_str())));
        }
    }

    async fn fields(body: impl Into<Body>) -> Result<Fields, ApiError> {
        Fields::from_request(Request::new(body.into()), &()).await
    }

    #[tokio::test]
    async fn fields_are_read_as_javascript_reads_them() {
        let mut errors = Vec::new();
        let body = r#" {"a":"\ud800","\ud800":1,"b":"first","b":"last","c":null,"d":7} "#;
        let fields = fields(body).await.unwrap();
        assert_eq!(fields.text("a", &mut errors).as_deref(), Some("\u{fffd}"));
        assert_eq!(fields.text("b", &mut errors).as_deref(), Some("last"));
        assert_eq!(fields.text("c", &mut errors), None);
        assert_eq!(fields.text("absent", &mut errors), None);
        assert_eq!(errors, []);
        assert_eq!(fields.text("d", &mut errors), None);
        assert_eq!(errors, [FieldError { path: "d", msg: "d must be a string".to_owned() }]);
    }

    #[tokio::test]
    async fn only_objects_are_bodies() {
        let deep = format!(r#"{{"a":{}"#, "[".repeat(90_000));
        for body in ["{", "[]", "null", "7", "\"x\"", "{\"a\":\"\n\"}", "{}x", "{\"a\":}", &deep] {
            assert!(matches!(fields(body.to_owned()).await, Err(ApiError::Malformed(_))), "{body:.40}");
        }
        assert!(matches!(fields(vec![b'{', 0xff]).await, Err(ApiError::Malformed(_))));
        let many = (0..65).map(|n| format!(r#""{n}":0"#)).collect::<Vec<_>>().join(",");
        let refused = fields(format!("{{{many}}}")).await;
        assert!(matches!(refused, Err(ApiError::Malformed(malformed::TOO_MANY_FIELDS))));
        let deep = format!(r#"{{"a":{}{},"b":"x"}}"#, "[".repeat(40_000), "]".repeat(40_000));
        assert_eq!(fields(deep).await.unwrap().text("b", &mut Vec::new()).as_deref(), Some("x"));
        assert!(fields("").await.unwrap().0.is_empty());
    }
}
