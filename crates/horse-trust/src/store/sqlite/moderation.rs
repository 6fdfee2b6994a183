//! Blocks, reports and withdrawn texts of the store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;

use super::store::SqliteStore;
use super::{people, reports};
use crate::callback::Callback;
use crate::id::Id;
use crate::store::clock::before;
use crate::store::error::Result;
use crate::store::group_commit::{BlockChange, Write};
use crate::store::traits::ModerationStore;
use crate::store::types::{
    NewAuditEntry, NewReport, Page, Profile, Report, ReportDecision, ReportQuery, Surroundings, Withdrawn,
};
use crate::timestamp::Timestamp;

#[async_trait]
impl ModerationStore for SqliteStore {
    fn set_block(&self, blocker: &Id, other: &Id, is_blocked: bool, callback: Callback<Result<()>>) {
        let change = BlockChange { blocker: blocker.clone(), blocked: other.clone(), is_blocked };
        self.writes.push(Write::set_block(change, callback));
    }

    async fn blocks_between(&self, first: &Id, second: &Id) -> Result<[bool; 2]> {
        let (first, second) = (first.clone(), second.clone());
        self.readers.read(move |connection| people::blocks_between(connection, &first, &second)).await
    }

    async fn blocked_by(&self, user: &Id) -> Result<Vec<(Id, Option<Profile>)>> {
        let user = user.clone();
        self.readers.read(move |connection| people::blocked_by(connection, &user)).await
    }

    async fn report(&self, report: NewReport) -> Result<Id> {
        let (ids, plan, bytes) = (Arc::clone(&self.ids), Arc::clone(&self.plan), report.reason.len());
        let work = move |connection: &Connection| {
            Ok(reports::insert_report(connection, ids.next(), &report, plan.get())?)
        };
        self.write_bytes(bytes, work).await
    }

    async fn report_by(&self, reporter: &Id, message: &Id) -> Result<Option<Id>> {
        let (reporter, message) = (reporter.clone(), message.clone());
        self.readers.read(move |connection| reports::report_by(connection, &reporter, &message)).await
    }

    async fn reports(&self, query: ReportQuery) -> Result<Vec<Report>> {
        self.readers.read(move |connection| reports::reports(connection, query)).await
    }

    async fn report_with_id(&self, id: &Id) -> Result<Option<Report>> {
        let id = id.clone();
        self.readers.read(move |connection| reports::report(connection, &id)).await
    }

    async fn decide_report(
        &self,
        id: &Id,
        decision: ReportDecision,
        entry: NewAuditEntry,
    ) -> Result<Option<Report>> {
        let (id, bytes) = (id.clone(), decision.note.iter().flatten().map(String::len).sum());
        self.write_bytes(bytes, move |connection| Ok(reports::decide(connection, &id, &decision, &entry)?))
            .await
    }

    async fn surroundings(&self, places: Vec<(Id, i64)>, reach: u32) -> Result<Vec<Option<Surroundings>>> {
        self.readers.snapshot(move |connection| reports::surroundings(connection, &places, reach)).await
    }

    async fn withdrawn(&self, conversation: Option<&Id>, page: Page) -> Result<Vec<Withdrawn>> {
        let conversation = conversation.cloned();
        self.readers.read(move |connection| people::withdrawn(connection, conversation.as_ref(), page)).await
    }

    async fn forget_withdrawn(&self, kept: Duration) -> Result<u64> {
        let before = before(Timestamp::now(), kept);
        let mut forgotten = 0;
        // A transaction for each part, so that messages do not wait for all of it.
        loop {
            let part =
                self.write(move |connection| Ok(people::forget_withdrawn(connection, before)?)).await?;
            forgotten += part;
            if part < people::FORGOTTEN_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }
}
