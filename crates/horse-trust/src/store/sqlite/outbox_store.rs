//! The outbox of the embedded store. The lock beside the file keeps other processes away, so the one that runs has every
//! lease.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::store::SqliteStore;
use super::{outbox, unseen};
use crate::id::Id;
use crate::store::clock::before;
use crate::store::error::{Result, StoreError};
use crate::store::outbox::OutboxPlan;
use crate::store::traits::OutboxStore;
use crate::store::types::{
    GivenUp, GivenUpKey, Outbox, OutboxBatch, OutboxCounts, OutboxEvent, OutboxSettings, OutboxSubject,
    Settlement, SubjectQuery, SubscriberId, UnseenDue, UnseenOutcome,
};
use crate::timestamp::Timestamp;

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn open_outbox(&self, settings: OutboxSettings) -> Result<Outbox> {
        let plan = Arc::clone(&self.plan);
        self.write(move |connection| {
            let OutboxSettings { subscribers, kinds, unseen_after } = settings;
            let (subscribers, last_number) = outbox::subscribe(connection, &subscribers)?;
            let plan = plan.get_or_init(|| OutboxPlan::new(subscribers, kinds, unseen_after, last_number));
            Ok(plan.outbox())
        })
        .await
    }

    async fn take_lease(&self, _: &str, _: &str, _: Duration) -> Result<bool> {
        Ok(true)
    }

    async fn release_leases(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn outbox_batch(
        &self,
        subscriber: SubscriberId,
        after: i64,
        limit: usize,
        limit_due: usize,
    ) -> Result<OutboxBatch> {
        self.readers
            .snapshot(move |connection| outbox::batch(connection, subscriber.0, after, [limit, limit_due]))
            .await
    }

    async fn outbox_subjects(&self, queries: Vec<SubjectQuery>) -> Result<Vec<Option<OutboxSubject>>> {
        self.readers.snapshot(move |connection| outbox::subjects(connection, &queries)).await
    }

    async fn settle_outbox(
        &self,
        subscriber: SubscriberId,
        events: Vec<(OutboxEvent, Settlement)>,
    ) -> Result<()> {
        self.write(move |connection| Ok(outbox::settle(connection, subscriber.0, &events)?)).await
    }

    async fn outbox_counts(&self, subscriber: SubscriberId) -> Result<OutboxCounts> {
        self.readers.read(move |connection| outbox::counts(connection, subscriber.0)).await
    }

    async fn given_up(&self, after: Option<GivenUpKey>, limit: usize) -> Result<Vec<GivenUp>> {
        self.readers.read(move |connection| outbox::given_up(connection, after, limit)).await
    }

    async fn retry_given_up(&self, event: Option<(i64, Timestamp)>) -> Result<u64> {
        let before = Timestamp::now();
        let mut retried = 0;
        loop {
            let part =
                self.write(move |connection| Ok(outbox::retry_given_up(connection, event, before)?)).await?;
            retried += part;
            if part < outbox::TIDIED_AT_ONCE {
                return Ok(retried);
            }
        }
    }

    async fn tidy_outbox(&self, subscribers: &[SubscriberId], kept: Duration, most: u64) -> Result<u64> {
        let ids: Vec<_> = subscribers.iter().map(|subscriber| subscriber.0).collect();
        let before = before(Timestamp::now(), kept);
        // A transaction for each part, so that messages do not wait for all of it.
        loop {
            let ids = ids.clone();
            if !self.write(move |connection| Ok(outbox::forget(connection, &ids, before)?)).await? {
                break;
            }
        }
        let mut given_up = 0;
        for subscriber in subscribers.iter().copied() {
            let mut surplus = self.outbox_counts(subscriber).await?.waiting.saturating_sub(most);
            while surplus > 0 {
                let part = self
                    .write(move |connection| Ok(outbox::give_up_oldest(connection, subscriber.0, surplus)?))
                    .await?;
                if part == 0 {
                    break;
                }
                given_up += part;
                surplus = surplus.saturating_sub(part);
            }
        }
        Ok(given_up)
    }

    async fn unseen_due(&self, limit: usize) -> Result<(Vec<UnseenDue>, Option<Duration>)> {
        self.readers.snapshot(move |connection| unseen::due(connection, limit)).await
    }

    async fn settle_unseen(&self, outcomes: Vec<(i64, usize, Id, UnseenOutcome)>) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        self.write(move |connection| {
            let plan = plan.get().ok_or_else(|| StoreError::Engine("the outbox is not open".into()))?;
            Ok(unseen::settle(connection, plan, &outcomes)?)
        })
        .await
    }
}
