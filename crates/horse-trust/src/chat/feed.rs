//! Each node follows the changes of users in the store, so that names, blocks, revocations and suspensions take effect on
//! all nodes within a second: without Redis, and whoever made the change, an operator with `psql` included. Events over
//! Redis are faster.

use std::sync::Arc;
use std::time::Duration;

use super::service::Chat;
use super::view;
use crate::auth::{Claims, Ended};
use crate::bus::BusEvent;
use crate::id::Id;
use crate::json;
use crate::store::{ChangeCursor, Revocation, Standing, StoreError, UserChange, UserChanges, VoidToken};
use crate::timestamp::Timestamp;

/// How often the store is asked what has changed.
const INTERVAL: Duration = Duration::from_millis(400);
/// How long the store keeps what has changed.
const KEPT: Duration = Duration::from_hours(1);
/// After so many milliseconds without an answer (the machine slept, the database was away), changes may no longer be kept,
/// and everything is read anew.
const MISSED_AFTER: i64 = 30 * 60 * 1000;

impl Chat {
    /// Reads which tokens are void, and answers where [`Chat::follow_users`] has to go on. To be called before the first client
    /// is let in.
    pub async fn read_standings(&self) -> Result<ChangeCursor, StoreError> {
        // A change that happens during the read is read again by `follow_users`.
        let cursor = self.store.user_changes(None).await?.cursor;
        self.replace_standings().await?;
        Ok(cursor)
    }

    /// Applies the changes of users, as long as it runs.
    pub async fn follow_users(self: Arc<Self>, mut cursor: ChangeCursor) {
        let mut answered_at = Timestamp::now();
        let mut is_failing = false;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let has_missed = Timestamp::now().0.saturating_sub(answered_at.0) > MISSED_AFTER;
            match self.follow_step(&cursor, has_missed).await {
                Ok(next) => {
                    cursor = next;
                    answered_at = Timestamp::now();
                    is_failing = false;
                }
                // One line for an outage, however long.
                Err(error) if !is_failing => {
                    tracing::warn!(%error, "what changed of users could not be read");
                    is_failing = true;
                }
                Err(_) => {}
            }
        }
    }

    async fn follow_step(&self, cursor: &ChangeCursor, has_missed: bool) -> Result<ChangeCursor, StoreError> {
        let UserChanges { cursor, changes } = self.store.user_changes(Some(cursor)).await?;
        match changes.filter(|_| !has_missed) {
            Some(changes) => changes.into_iter().for_each(|change| self.user_changed(change)),
            None => {
                self.blocks.clear();
                self.profiles.clear();
                self.replace_standings().await?;
            }
        }
        Ok(cursor)
    }

    fn user_changed(&self, change: UserChange) {
        match change {
            UserChange::Account(standing) => self.apply_standing(standing),
            UserChange::Profile(standing) => {
                self.profiles.remove(&standing.user);
                self.note_profile_change(&standing.user);
                self.apply_standing(standing);
            }
            UserChange::TokenVoid(void) => self.token_void(void),
            UserChange::Blocks([one, other]) => {
                self.forget_blocks(&one, &other);
            }
        }
    }

    /// Applies what the store says of the tokens of a user on this node at once; the others follow within a second.
    pub async fn standing_changed(&self, user: &Id) -> Result<(), StoreError> {
        self.apply_standing(self.store.standing(user).await?);
        Ok(())
    }

    pub(super) fn apply_standing(&self, standing: Standing) {
        let user = standing.user.clone();
        if let Some(ended) = self.tokens.set_standing(standing) {
            self.end_sockets(user, ended);
        }
    }

    /// A device with these claims is about to connect. Its token may be newer than a revocation that this node does not know
    /// yet. Then the user's older sockets end now, so that the revocation does not end the new one when it arrives.
    pub fn note_generation(&self, claims: &Claims) {
        let Some(generation @ 1..) = claims.generation else { return };
        // The time by the store's clock follows.
        let not_before = claims.issued_at.unwrap_or(Timestamp::MIN);
        let revocation = Revocation { generation, not_before };
        if self.tokens.revoke(claims.user.clone(), revocation) {
            self.end_sockets(claims.user.clone(), Ended::Revoked(revocation));
        }
    }

    /// A token was signed out: it becomes void on this node, and its sockets are disconnected.
    pub(super) fn token_void(&self, void: VoidToken) {
        let (user, token) = (void.user.clone(), void.token);
        if self.tokens.void(void) {
            self.end_sockets(user, Ended::SignedOut(token));
        }
    }

    /// Reads anew which tokens are void, and disconnects the sockets that use one.
    pub(super) async fn replace_standings(&self) -> Result<(), StoreError> {
        for (user, ended) in self.tokens.replace_standings(self.store.standings().await?) {
            self.end_sockets(user, ended);
        }
        self.store.void_tokens().await?.into_iter().for_each(|void| self.token_void(void));
        Ok(())
    }

    /// Disconnects the sockets that `user` has on this node.
    fn end_sockets(&self, user: Id, ended: Ended) {
        self.bus.publish_locally(&match ended {
            Ended::Revoked(revocation) => BusEvent::TokensRevoked { user, revocation },
            Ended::SignedOut(token) => BusEvent::TokenVoid { user, token },
            Ended::Suspended(suspension) => {
                tracing::info!(%user, "the account is suspended");
                BusEvent::AccountSuspended { user, argument: json::encode(&view::suspension(&suspension)) }
            }
        });
    }

    /// Has the store forget changes that every node has read. To be called every minute or so.
    pub(super) async fn forget_user_changes(&self) {
        if let Err(error) = self.store.forget_user_changes(KEPT).await {
            tracing::warn!(%error, "what changed of users long ago was not forgotten");
        }
    }
}
