//! Blocks, complaints, and texts that were edited away or deleted.

use std::time::Duration;

use async_trait::async_trait;

use crate::callback::Callback;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{NewReport, Page, Profile, Report, Withdrawn};

/// Blocks, complaints, and texts that were edited away or deleted.
#[async_trait]
pub trait ModerationStore: Send + Sync + 'static {
    /// Has `blocker` block `other`, or no longer. `callback` is called as that of [`MessageStore::append_message`].
    fn set_block(&self, blocker: &Id, other: &Id, is_blocked: bool, callback: Callback<Result<()>>);

    /// Whether the first has blocked the second, and the second the first.
    async fn blocks_between(&self, first: &Id, second: &Id) -> Result<[bool; 2]>;

    /// Whom `user` has blocked, newest first, each with the profile if there is one and the two share a
    /// conversation that `user` sees.
    async fn blocked_by(&self, user: &Id) -> Result<Vec<(Id, Option<Profile>)>>;

    /// Keeps a complaint with the message as it is, or was before it was deleted; answers its id. Of each reporter one
    /// complaint about a message is kept: a repeat stores nothing and answers the first.
    async fn report(&self, report: NewReport) -> Result<Id>;

    /// The complaint of `reporter` about this message.
    async fn report_by(&self, reporter: &Id, message: &Id) -> Result<Option<Id>>;

    /// Complaints, newest first.
    async fn reports(&self, page: Page) -> Result<Vec<Report>>;

    /// Texts that were edited away or deleted, of one conversation or of all, newest first.
    async fn withdrawn(&self, conversation: Option<&Id>, page: Page) -> Result<Vec<Withdrawn>>;

    /// Forgets the texts that were withdrawn longer than `kept` ago, by the store's clock; answers how many.
    async fn forget_withdrawn(&self, kept: Duration) -> Result<u64>;
}
