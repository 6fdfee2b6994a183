//! Blocks, reports, and withdrawn texts.

use std::time::Duration;

use async_trait::async_trait;

use crate::callback::Callback;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{
    NewAuditEntry, NewReport, Page, Profile, Report, ReportDecision, ReportQuery, Surroundings, Withdrawn,
};

/// Blocks, reports, and withdrawn texts.
#[async_trait]
pub trait ModerationStore: Send + Sync + 'static {
    /// Sets or lifts a block. `callback` is called as that of [`MessageStore::append_message`].
    ///
    /// [`MessageStore::append_message`]: super::MessageStore::append_message
    fn set_block(&self, blocker: &Id, other: &Id, is_blocked: bool, callback: Callback<Result<()>>);

    /// Whether the first has blocked the second, and the second the first.
    async fn blocks_between(&self, first: &Id, second: &Id) -> Result<[bool; 2]>;

    /// The users whom `user` has blocked, latest first. The profile is there if `user` shares a visible conversation with
    /// them.
    async fn blocked_by(&self, user: &Id) -> Result<Vec<(Id, Option<Profile>)>>;

    /// Stores a report with the text of the message, also if it was deleted since; answers the report's id. A second report of a
    /// message by the same user stores nothing and answers the first.
    async fn report(&self, report: NewReport) -> Result<Id>;

    /// The report of this message by `reporter`.
    async fn report_by(&self, reporter: &Id, message: &Id) -> Result<Option<Id>>;

    /// Reports, latest first.
    async fn reports(&self, query: ReportQuery) -> Result<Vec<Report>>;

    /// The report with this id.
    async fn report_with_id(&self, id: &Id) -> Result<Option<Report>>;

    /// Notes a decision on a report, and who made it in the audit; answers the report as it then is, `None` if there is
    /// none with this id.
    async fn decide_report(
        &self,
        id: &Id,
        decision: ReportDecision,
        entry: NewAuditEntry,
    ) -> Result<Option<Report>>;

    /// For each of these conversations and sequence numbers, the message there with up to `reach` before and after it, in
    /// their order, deleted ones included. `None` where there is no such conversation. The work is in proportion to the
    /// messages that are answered.
    async fn surroundings(&self, places: Vec<(Id, i64)>, reach: u32) -> Result<Vec<Option<Surroundings>>>;

    /// Withdrawn texts of one conversation or of all, latest first.
    async fn withdrawn(&self, conversation: Option<&Id>, page: Page) -> Result<Vec<Withdrawn>>;

    /// Removes texts that were withdrawn longer than `kept` ago, by the store's clock; answers how many.
    async fn forget_withdrawn(&self, kept: Duration) -> Result<u64>;
}
