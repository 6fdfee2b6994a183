//! What is kept of a user, in pages. No method holds a connection or a snapshot between two pages.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{Block, Conversation, ReportsOfUser, WithdrawnAt};
use crate::timestamp::Timestamp;

/// What is kept of a user, in pages, beside what the other traits read.
#[async_trait]
pub trait ExportStore: Send + Sync + 'static {
    /// When the user's last device disconnected, if that was recorded.
    async fn last_seen(&self, user: &Id) -> Result<Option<Timestamp>>;

    /// At most `limit` of the users whom `user` has blocked, in the order of their ids, behind the id `after`.
    async fn blocks_of(&self, user: &Id, after: Option<&Id>, limit: u32) -> Result<Vec<Block>>;

    /// At most `limit` texts of both participants that were withdrawn in a conversation, behind the place `after`, in the
    /// order of messages.
    async fn withdrawn_in(
        &self,
        conversation: &Conversation,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<WithdrawnAt>>;

    /// The reports by `user` and of messages of `user` among the next `looked_at` reports of all, behind the key `after`.
    async fn reports_of(&self, user: &Id, after: i64, looked_at: u32) -> Result<ReportsOfUser>;
}
