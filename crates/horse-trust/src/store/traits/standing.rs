//! The validity of tokens, and the feed of changes of users.

use std::time::Duration;

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::standing::{ChangeCursor, Revocation, Standing, UserChanges, VoidToken};

/// The validity of tokens, and the feed of changes of users.
#[async_trait]
pub trait StandingStore: Send + Sync + 'static {
    /// Ends all sessions of `user`: makes the tokens void that were issued before, by the store's own clock and count.
    async fn revoke_tokens(&self, user: &Id) -> Result<Revocation>;

    /// Makes one token void. If its user has [`MAX_VOID_TOKENS`](crate::store::MAX_VOID_TOKENS) of them already, all sessions of the user are ended as
    /// well, and the others are forgotten: answers that revocation.
    async fn void_token(&self, token: VoidToken) -> Result<Option<Revocation>>;

    /// The void tokens of all users that are not over ([`VoidToken::is_over`], by the store's clock).
    async fn void_tokens(&self) -> Result<Vec<VoidToken>>;

    /// How often all sessions of `user` were ended, for a token that is issued now.
    async fn session_generation(&self, user: &Id) -> Result<i64>;

    /// All users who have a revocation or a suspension.
    async fn standings(&self) -> Result<Vec<Standing>>;

    /// The changes of users behind a cursor, whatever process made them; without a cursor no changes, and the feed's end as
    /// cursor.
    async fn user_changes(&self, after: Option<&ChangeCursor>) -> Result<UserChanges>;

    /// Removes changes that are older than `kept`, by the store's clock.
    async fn forget_user_changes(&self, kept: Duration) -> Result<()>;
}
