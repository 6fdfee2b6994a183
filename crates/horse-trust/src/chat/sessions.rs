//! Ends sessions: one, or all of a user.

use super::access::store_failed;
use super::service::Chat;
use crate::auth::Claims;
use crate::bus::BusEvent;
use crate::contract::Refusal;
use crate::id::Id;
use crate::store::{Revocation, VoidToken};
use crate::timestamp::Timestamp;

impl Chat {
    /// Makes all tokens of `user` void and disconnects all sockets, on all nodes.
    pub async fn end_sessions(&self, user: &Id) -> Result<(), Refusal> {
        let revocation = self.store.revoke_tokens(user).await.map_err(store_failed("revoke_tokens"))?;
        self.sessions_ended(user, revocation);
        Ok(())
    }

    /// Makes the token with these claims void and disconnects its sockets; the other nodes follow within a second.
    pub async fn end_session(&self, claims: &Claims) -> Result<(), Refusal> {
        let expires_at = claims.expires_at.and_then(Timestamp::from_seconds);
        let void = VoidToken { user: claims.user.clone(), token: claims.token, expires_at };
        let revocation = self.store.void_token(void.clone()).await.map_err(store_failed("void_token"))?;
        self.token_void(void);
        tracing::info!(user = %claims.user, "a session of a user was ended");
        if let Some(revocation) = revocation {
            self.sessions_ended(&claims.user, revocation);
        }
        Ok(())
    }

    pub(super) fn sessions_ended(&self, user: &Id, revocation: Revocation) {
        self.tokens.revoke(user.clone(), revocation);
        tracing::info!(%user, "all sessions of a user were ended");
        self.bus.publish(BusEvent::TokensRevoked { user: user.clone(), revocation });
    }
}
