//! Issues and verifies JSON Web Tokens (RFC 7519).

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Header;
use quick_cache::sync::Cache;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::claim_rules::{ClaimRules, TimedClaims};
use super::claims::{Claims, Rejection};
use super::jws::Compact;
use super::standing::{Ended, Standings};
use super::token_key::TokenKey;
use crate::config::{Config, ConfigError, KeySetting};
use crate::id::Id;
use crate::store::{Revocation, Role, Standing, VoidToken};
use crate::timestamp::Timestamp;

/// How many tokens of a platform are remembered as verified; each takes about 300 bytes.
const REMEMBERED: usize = 10_000;

/// Issues and verifies tokens.
pub struct Tokens {
    key: TokenKey,
    rules: ClaimRules,
    expires_in: Duration,
    standings: Standings,
    /// What tokens say whose signature was checked, by the SHA-256 of the whole token. A client sends its token with each
    /// request, and to check a signature takes 190 µs with an RSA key of 2048 bits, 930 µs with one of 4096, 270 µs with
    /// ES256 and 80 µs with `EdDSA`. With a secret it takes less than one, and nothing is remembered.
    verified: Option<Cache<[u8; 32], TimedClaims>>,
}

/// Why no token is issued here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only the platform has the private key that signs tokens")]
pub struct NoPrivateKey;

impl Tokens {
    /// Signs tokens with `secret`; they expire after `expires_in`.
    pub fn new(secret: &str, expires_in: Duration) -> Self {
        Self::with(TokenKey::secret(secret), ClaimRules::default(), expires_in)
    }

    /// Verifies tokens with `key` and reads them by `rules`; those that are issued here expire after `expires_in`.
    pub fn with(key: TokenKey, rules: ClaimRules, expires_in: Duration) -> Self {
        let verified = key.encoding.is_none().then(|| Cache::new(REMEMBERED));
        Self { key, rules, expires_in, standings: Standings::default(), verified }
    }

    /// As the settings say.
    pub fn from_config(config: &Config) -> Result<Self, ConfigError> {
        let key = match config.token_key()? {
            KeySetting::Secret(secret) => TokenKey::secret(secret.expose()),
            KeySetting::Public { path, pem } => TokenKey::public(pem).map_err(|error| {
                ConfigError::new("JWT_PUBLIC_KEY_FILE", format!("{}: {error}", path.display()))
            })?,
        };
        let rules = ClaimRules {
            user: config.jwt_user_claim.clone(),
            role: config.jwt_role_claim.clone(),
            issuer: config.jwt_issuer.clone(),
            audience: config.jwt_audience.clone(),
        };
        Ok(Self::with(key, rules, config.jwt_expires_in))
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
    pub fn issue(&self, user: &Id, role: Role, generation: i64) -> Result<String, NoPrivateKey> {
        self.issue_for(user, role, self.expires_in, Some(generation))
    }

    /// How long tokens that are issued here are valid, if nothing else is said.
    pub fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// Issues a token that expires after `expires_in`. Without a generation, where there is no store, a revocation compares
    /// its time, as for tokens of other issuers.
    pub fn issue_for(
        &self,
        user: &Id,
        role: Role,
        expires_in: Duration,
        generation: Option<i64>,
    ) -> Result<String, NoPrivateKey> {
        let key = self.key.encoding.as_ref().ok_or(NoPrivateKey)?;
        let now = since_epoch();
        let mut jti = [0; 12];
        getrandom::fill(&mut jti).expect("the system gives random bytes");
        let mut claims = json!({
            "iat": now.as_secs(),
            "exp": now.saturating_add(expires_in).as_secs(),
            // Makes tokens of the same user and millisecond differ (RFC 7519, section 4.1.7).
            "jti": URL_SAFE_NO_PAD.encode(jti),
            // As `iat`, in milliseconds: a token may be issued in the second in which others were revoked.
            "iat_ms": milliseconds(now),
        });
        claims[&self.rules.user] = json!(user);
        claims[&self.rules.role] = json!(role);
        let optional = [
            ("session_generation", generation.map(Value::from)),
            ("iss", self.rules.issuer.clone().map(Value::from)),
            ("aud", self.rules.audience.clone().map(Value::from)),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                claims[name] = value;
            }
        }
        Ok(jsonwebtoken::encode(&Header::new(self.key.algorithm), &claims, key)
            .expect("claims of text and numbers are signed with a symmetric key"))
    }

    /// Checks the signature, algorithm, issuer, audience, times and user of a token, and that neither token nor account was
    /// revoked or suspended.
    pub fn verify(&self, token: &str) -> Result<Claims, Rejection> {
        let TimedClaims { claims, not_before } = self.read(token).map_err(|reason| {
            // A parser's own error would quote the token.
            tracing::debug!(reason, "a token was refused");
            Rejection::Invalid
        })?;
        let now = since_epoch().as_secs_f64();
        if claims.expires_at.is_some_and(|at| now >= at) || not_before.is_some_and(|at| now < at) {
            tracing::debug!("a token was refused: it is over, or not valid yet");
            return Err(Rejection::Invalid);
        }
        self.check(&claims)?;
        Ok(claims)
    }

    /// What a token says whose signature is right.
    fn read(&self, token: &str) -> Result<TimedClaims, &'static str> {
        let compact = Compact::split(token)?;
        let Some(verified) = &self.verified else {
            let raw = compact.verify(&self.key, &self.rules)?;
            return self.rules.read(&raw, compact.id());
        };
        let name = Sha256::digest(token).into();
        if let Some(known) = verified.get(&name) {
            return Ok(known);
        }
        let raw = compact.verify(&self.key, &self.rules)?;
        let claims = self.rules.read(&raw, compact.id())?;
        verified.insert(name, claims.clone());
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
mod tests;
