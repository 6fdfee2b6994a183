//! Which claims of a token say whose it is, and whom it is from and for.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::claims::Claims;
use crate::id::Id;
use crate::store::{Role, TokenId};
use crate::timestamp::Timestamp;

/// The names of the claims with the user and the role, and what a token's issuer and audience have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRules {
    /// The claim with the user's id.
    pub user: String,
    /// The claim with the user's role.
    pub role: String,
    /// What `iss` has to be; `None` if it is not checked.
    pub issuer: Option<String>,
    /// What `aud` has to be or to contain; `None` if it is not checked.
    pub audience: Option<String>,
}

impl Default for ClaimRules {
    fn default() -> Self {
        Self { user: "userId".to_owned(), role: "role".to_owned(), issuer: None, audience: None }
    }
}

/// The claims of a token whose signature was checked, as they stand in it.
#[derive(Debug, Default)]
pub(super) struct RawClaims {
    user: Option<Value>,
    role: Option<Value>,
    issuer: Option<Value>,
    audience: Option<Value>,
    issued_at: Option<Value>,
    issued_at_milliseconds: Option<Value>,
    generation: Option<Value>,
    expires_at: Option<Value>,
    not_before: Option<Value>,
}

/// Claims that name a user, at the time between `not_before` and their end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimedClaims {
    pub(super) claims: Claims,
    /// From when the token is valid, in seconds since 1970.
    pub(super) not_before: Option<f64>,
}

impl ClaimRules {
    /// What `raw` says. An error says what is wrong without a part of the token.
    pub(super) fn read(&self, raw: &RawClaims, token: TokenId) -> Result<TimedClaims, &'static str> {
        if self.issuer.as_deref().is_some_and(|issuer| text(raw.issuer.as_ref()) != Some(issuer)) {
            return Err("another issuer");
        }
        if self.audience.as_deref().is_some_and(|audience| !is_for(raw.audience.as_ref(), audience)) {
            return Err("another audience");
        }
        // Times are checked by hand, because the contract gives no leeway and refuses times that are no numbers.
        let time = |claim: &Option<Value>| match claim {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or("a time that is no number"),
        };
        let (expires_at, not_before) = (time(&raw.expires_at)?, time(&raw.not_before)?);
        let user = text(raw.user.as_ref()).and_then(|id| Id::parse(id).ok());
        // Nobody writes in the platform's name.
        let user = user.filter(|user| *user != Id::SYSTEM).ok_or("no user's id")?;
        let role = if text(raw.role.as_ref()) == Some("admin") { Role::Admin } else { Role::Seller };
        // A time outside the range of dates is ignored: the token counts as older than any revocation.
        let seconds = raw.issued_at.as_ref().and_then(Value::as_f64).and_then(Timestamp::from_seconds);
        // A token of another issuer has whole seconds: within its second it may be older than a revocation.
        let milliseconds = raw.issued_at_milliseconds.as_ref().and_then(Value::as_i64).map(Timestamp);
        let issued_at = milliseconds.or(seconds);
        let generation = raw.generation.as_ref().and_then(Value::as_i64);
        let claims = Claims { user, role, token, expires_at, issued_at, generation };
        Ok(TimedClaims { claims, not_before })
    }
}

fn text(claim: Option<&Value>) -> Option<&str> {
    claim.and_then(Value::as_str)
}

/// Whether `aud` is the audience, or a list that contains it (RFC 7519, section 4.1.3).
fn is_for(claim: Option<&Value>, audience: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    }
}

/// Reads the claims of a token by these rules.
pub(super) struct ReadClaims<'a>(pub(super) &'a ClaimRules);

impl<'de> DeserializeSeed<'de> for ReadClaims<'_> {
    type Value = RawClaims;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawClaims, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadClaims<'_> {
    type Value = RawClaims;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("claims")
    }

    /// A claim that has a meaning here and stands twice is an error: one reader would take the first, another the last
    /// (RFC 7519, section 4).
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<RawClaims, M::Error> {
        let mut raw = RawClaims::default();
        while let Some(name) = map.next_key::<String>()? {
            let place = match &*name {
                name if name == self.0.user => &mut raw.user,
                name if name == self.0.role => &mut raw.role,
                "iss" => &mut raw.issuer,
                "aud" => &mut raw.audience,
                "iat" => &mut raw.issued_at,
                "iat_ms" => &mut raw.issued_at_milliseconds,
                "session_generation" => &mut raw.generation,
                "exp" => &mut raw.expires_at,
                "nbf" => &mut raw.not_before,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // `null` is a claim, too: a time that is null is no number.
            if place.replace(map.next_value()?).is_some() {
                return Err(M::Error::custom("a claim stands twice"));
            }
        }
        Ok(raw)
    }
}
