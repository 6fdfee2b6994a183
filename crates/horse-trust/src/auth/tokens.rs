//! Issues and verifies JSON Web Tokens (RFC 7519) with HS256.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claims::{Claims, Rejection};
use super::jws::{self, present};
use super::standing::{Ended, Standings};
use crate::id::Id;
use crate::store::{Revocation, Role, Standing, VoidToken};
use crate::timestamp::Timestamp;

/// Issues and verifies tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    expires_in: Duration,
    standings: Standings,
}

/// The claims as they stand in a token. Times are checked by hand, because the contract gives no leeway and
/// refuses times that are no numbers.
#[derive(Deserialize)]
struct RawClaims {
    #[serde(rename = "userId")]
    user_id: Option<Value>,
    role: Option<Value>,
    iat: Option<Value>,
    iat_ms: Option<Value>,
    session_generation: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
}

impl Tokens {
    /// Signs tokens with `secret`; they expire after `expires_in`.
    pub fn new(secret: &str, expires_in: Duration) -> Self {
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            expires_in,
            standings: Standings::default(),
        }
    }

    /// Rejects the tokens of `user` that were issued before all sessions were ended. Returns whether the revocation is new.
    pub fn revoke(&self, user: Id, revocation: Revocation) -> bool {
        self.standings.revoke(user, revocation)
    }

    /// Rejects a token that was signed out. Returns whether that is new.
    pub fn void(&self, void: VoidToken) -> bool {
        self.standings.void(void)
    }

    /// Forgets void tokens that have expired on every node. To be called every minute or so.
    pub fn tidy(&self) {
        self.standings.forget_over(Timestamp::now());
    }

    /// Applies a user's standing in the store; returns which of the user's sockets have to end.
    pub fn set_standing(&self, standing: Standing) -> Option<Ended> {
        self.standings.set(standing)
    }

    /// Applies all standings in the store; returns the users with sockets that have to end.
    pub fn replace_standings(&self, standings: Vec<Standing>) -> Vec<(Id, Ended)> {
        self.standings.replace(standings)
    }

    /// Whether a token that was verified before is still accepted.
    pub fn check(&self, claims: &Claims) -> Result<(), Rejection> {
        self.standings.check(claims)
    }

    /// Issues a token for a user; `generation` is [`session_generation`](crate::store::StandingStore::session_generation) of
    /// the store at this moment.
    pub fn issue(&self, user: &Id, role: Role, generation: i64) -> String {
        self.issue_for(user, role, self.expires_in, Some(generation))
    }

    /// How long tokens that are issued here are valid, if nothing else is said.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// Issues a token that expires after `expires_in`. Without a generation, where there is no store, a revocation compares
    /// its time, as for tokens of other issuers.
    pub fn issue_for(&self, user: &Id, role: Role, expires_in: Duration, generation: Option<i64>) -> String {
        #[derive(Serialize)]
        struct Issued<'a> {
            #[serde(rename = "userId")]
            user_id: &'a Id,
            role: Role,
            iat: u64,
            exp: u64,
            /// Makes tokens of the same user and millisecond differ (RFC 7519, section 4.1.7).
            jti: String,
            /// As `iat`, in milliseconds: a token may be issued in the second in which others were revoked.
            iat_ms: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            session_generation: Option<i64>,
        }
        let now = since_epoch();
        let mut jti = [0; 12];
        getrandom::fill(&mut jti).expect("the system gives random bytes");
        let claims = Issued {
            user_id: user,
            role,
            iat: now.as_secs(),
            exp: now.saturating_add(expires_in).as_secs(),
            jti: URL_SAFE_NO_PAD.encode(jti),
            iat_ms: milliseconds(now),
            session_generation: generation,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .expect("claims of text and numbers are signed with a symmetric key")
    }

    /// Checks the signature, algorithm, times and user of a token, and that neither token nor account was revoked or
    /// suspended.
    pub fn verify(&self, token: &str) -> Result<Claims, Rejection> {
        let (RawClaims { user_id, role, iat, iat_ms, session_generation, exp, nbf }, token) =
            jws::verify(token, &self.decoding).map_err(|reason| {
                // A parser's own error would quote the token.
                tracing::debug!(reason, "a token was refused");
                Rejection::Invalid
            })?;
        let now = since_epoch().as_secs_f64();
        let time = |claim: Option<Value>| match claim {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or(Rejection::Invalid),
        };
        let (expires_at, not_before) = (time(exp)?, time(nbf)?);
        if expires_at.is_some_and(|at| now >= at) || not_before.is_some_and(|at| now < at) {
            return Err(Rejection::Invalid);
        }
        let user = user_id.as_ref().and_then(Value::as_str).and_then(|id| Id::parse(id).ok());
        // Nobody writes in the platform's name.
        let user = user.filter(|user| *user != Id::SYSTEM);
        let role =
            if role.as_ref().and_then(Value::as_str) == Some("admin") { Role::Admin } else { Role::Seller };
        // A time outside the range of dates is ignored: the token counts as older than any revocation.
        let seconds = iat.as_ref().and_then(Value::as_f64).and_then(Timestamp::from_seconds);
        // A token of another issuer has whole seconds: within its second it may be older than a revocation.
        let issued_at = iat_ms.as_ref().and_then(Value::as_i64).map(Timestamp).or(seconds);
        let generation = session_generation.as_ref().and_then(Value::as_i64);
        let claims =
            Claims { user: user.ok_or(Rejection::Invalid)?, role, token, expires_at, issued_at, generation };
        self.check(&claims)?;
        Ok(claims)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
        jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes()))
            .unwrap()
    }

    #[test]
    fn what_is_issued_verifies() {
        let tokens = Tokens::new("secret", WEEK);
        let user = Id::parse("507f1f77bcf86cd799439011").unwrap();
        let claims = tokens.verify(&tokens.issue(&user, Role::Admin, 0)).unwrap();
        assert_eq!((claims.user, claims.role), (user, Role::Admin));
        assert!(Tokens::new("other", WEEK).verify(&tokens.issue(&claims_user(), Role::Seller, 0)).is_err());
    }

    #[test]
    fn one_token_is_signed_out_and_no_other() {
        let tokens = Tokens::new("secret", WEEK);
        // Of another issuer, who gives no `jti`, and two of the same moment.
        let elsewhere = sign(Algorithm::HS256, "secret", &json!({"userId": "u"}));
        let [first, second] = [(); 2].map(|()| tokens.issue(&claims_user(), Role::Seller, 0));
        assert_ne!(first, second);
        for (token, others) in [(&elsewhere, vec![&first, &second]), (&first, vec![&second])] {
            let Claims { user, token: id, .. } = tokens.verify(token).unwrap();
            assert!(tokens.void(VoidToken { user, token: id, expires_at: None }));
            assert_eq!(tokens.verify(token), Err(Rejection::Invalid));
            for other in others {
                assert!(tokens.verify(other).is_ok());
            }
        }
    }

    fn claims_user() -> Id {
        Id::parse("u").unwrap()
    }

    #[test]
    fn claims_are_checked_to_the_letter() {
        let tokens = Tokens::new("secret", WEEK);
        let now = since_epoch().as_secs();
        let verify = |claims: &Value| tokens.verify(&sign(Algorithm::HS256, "secret", claims));
        let token = sign(Algorithm::HS256, "secret", &json!({"userId": "u"}));
        assert_eq!(
            tokens.verify(&token),
            Ok(Claims {
                user: claims_user(),
                role: Role::Seller,
                token: tokens.verify(&token).unwrap().token,
                expires_at: None,
                issued_at: None,
                generation: None
            })
        );
        assert!(verify(&json!({"userId": "u", "exp": now + 60, "nbf": now})).is_ok());
        for bad in [
            json!({}),
            json!({"userId": null}),
            json!({"userId": 7}),
            json!({"userId": ""}),
            json!({"userId": "a b"}),
            json!({"userId": "system"}),
            json!({"userId": "x".repeat(65)}),
            json!({"userId": {"$ne": null}}),
            json!({"userId": "u", "exp": now}),
            json!({"userId": "u", "exp": now - 1}),
            json!({"userId": "u", "exp": "later"}),
            json!({"userId": "u", "exp": null}),
            json!({"userId": "u", "nbf": now + 60}),
            json!({"userId": "u", "nbf": "now"}),
        ] {
            assert_eq!(verify(&bad), Err(Rejection::Invalid), "{bad}");
        }
    }

    #[test]
    fn revoked_tokens_are_void_and_later_ones_are_not() {
        let tokens = Tokens::new("secret", WEEK);
        let old = tokens.issue(&claims_user(), Role::Seller, 0);
        let elsewhere = |claims: Value| sign(Algorithm::HS256, "secret", &claims);
        let seconds = since_epoch().as_secs();
        // The clock of the store is an hour behind.
        let not_before = Timestamp::now().0 - 3_600_000;
        tokens.revoke(claims_user(), Revocation { generation: 1, not_before: Timestamp(not_before) });
        assert_eq!(tokens.verify(&old), Err(Rejection::Invalid));
        assert!(tokens.verify(&tokens.issue(&claims_user(), Role::Seller, 1)).is_ok());
        for (iat, is_valid) in [(Some(seconds), true), (Some(seconds - 3_700), false), (None, false)] {
            let token = elsewhere(json!({"userId": "u", "iat": iat}));
            assert_eq!(tokens.verify(&token).is_ok(), is_valid, "{iat:?}");
        }
        assert!(tokens.verify(&elsewhere(json!({"userId": "v"}))).is_ok());
    }

    #[test]
    fn header_parameters_other_than_alg_and_crit_are_ignored() {
        let tokens = Tokens::new("secret", WEEK);
        let verify = |header: &str, claims: &str| {
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let signature =
                jsonwebtoken::crypto::sign(signed.as_bytes(), &tokens.encoding, Algorithm::HS256).unwrap();
            tokens.verify(&format!("{signed}.{signature}"))
        };
        for good in [
            r#"{"alg":"HS256"}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","kid":null,"typ":[1],"cty":{}}"#,
            r#"{"alg":"HS256","jwk":"none","x5c":3,"jku":false,"unknown":{"deep":[[]]}}"#,
        ] {
            assert!(verify(good, r#"{"userId":"u"}"#).is_ok(), "{good}");
        }
        for bad in [
            "{}",
            "[\"HS256\",null]",
            r#"{"alg":7}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS256","crit":["exp"]}"#,
            r#"{"alg":"HS256","crit":null}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
        ] {
            assert_eq!(verify(bad, r#"{"userId":"u"}"#), Err(Rejection::Invalid), "{bad}");
        }
        assert_eq!(verify(r#"{"alg":"HS256"}"#, r#"["u"]"#), Err(Rejection::Invalid));
    }

    #[test]
    fn times_that_no_date_can_express_do_not_become_others() {
        let tokens = Tokens::new("secret", WEEK);
        let in_milliseconds = since_epoch().as_secs() * 1000 + 86_400_000;
        for exp in [json!(in_milliseconds), json!(1e300), json!(i64::MAX)] {
            let claims = json!({"userId": "u", "exp": exp, "iat": in_milliseconds});
            let claims = tokens.verify(&sign(Algorithm::HS256, "secret", &claims)).unwrap();
            assert!(claims.expires_at.is_some());
            assert_eq!(claims.expires_at.and_then(Timestamp::from_seconds), None, "{exp}");
            // Nor does it outlast a revocation.
            assert_eq!(claims.issued_at, None);
        }
    }

    #[test]
    fn only_hs256_is_accepted() {
        let tokens = Tokens::new("secret", WEEK);
        let claims = json!({"userId": "u"});
        assert!(tokens.verify(&sign(Algorithm::HS512, "secret", &claims)).is_err());
        // {"alg":"none","typ":"JWT"} . {"userId":"u"}
        for none in [
            "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1c2VySWQiOiJ1In0.",
            "eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJ1In0",
        ] {
            assert!(tokens.verify(none).is_err());
        }
        let critical = Header { crit: Some(vec!["more".to_owned()]), ..Header::new(Algorithm::HS256) };
        let critical = jsonwebtoken::encode(&critical, &claims, &tokens.encoding).unwrap();
        assert!(tokens.verify(&critical).is_err());
        for garbage in ["", "a", "a.b.c", "..", "é"] {
            assert!(tokens.verify(garbage).is_err(), "{garbage}");
        }
    }
}
