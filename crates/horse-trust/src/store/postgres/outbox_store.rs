//! The outbox of the store of several nodes.

use std::time::Duration;

use async_trait::async_trait;

use super::outbox;
use super::store::PostgresStore;
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::outbox::OutboxPlan;
use crate::store::traits::OutboxStore;
use crate::store::types::{
    GivenUp, GivenUpKey, Outbox, OutboxBatch, OutboxCounts, OutboxEvent, OutboxSettings, OutboxSubject,
    Settlement, SubjectQuery, SubscriberId, UnseenDue, UnseenOutcome,
};
use crate::timestamp::Timestamp;

#[async_trait]
impl OutboxStore for PostgresStore {
    async fn open_outbox(&self, settings: OutboxSettings) -> Result<Outbox> {
        let OutboxSettings { subscribers, kinds, unseen_after } = settings;
        let mut ids = Vec::new();
        for subscriber in &subscribers {
            ids.push(outbox::subscribe(&self.pool, subscriber).await?);
        }
        // The database gives the numbers.
        Ok(self.plan.get_or_init(|| OutboxPlan::new(ids, kinds, unseen_after, 0)).outbox())
    }

    async fn take_lease(&self, name: &str, holder: &str, time: Duration) -> Result<bool> {
        outbox::take_lease(&self.pool, name, holder, time).await
    }

    async fn release_leases(&self, holder: &str) -> Result<()> {
        outbox::release_leases(&self.pool, holder).await
    }

    async fn outbox_batch(
        &self,
        subscriber: SubscriberId,
        after: i64,
        limit: usize,
        limit_due: usize,
    ) -> Result<OutboxBatch> {
        let limits = [limit, limit_due].map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
        outbox::batch(&self.pool, subscriber.0, after, limits).await
    }

    async fn outbox_subjects(&self, queries: Vec<SubjectQuery>) -> Result<Vec<Option<OutboxSubject>>> {
        outbox::subjects(&self.pool, &queries).await
    }

    async fn settle_outbox(
        &self,
        subscriber: SubscriberId,
        events: Vec<(OutboxEvent, Settlement)>,
    ) -> Result<()> {
        outbox::settle(&self.pool, subscriber.0, &events).await
    }

    async fn outbox_counts(&self, subscriber: SubscriberId) -> Result<OutboxCounts> {
        outbox::counts(&self.pool, subscriber.0).await
    }

    async fn given_up(&self, after: Option<GivenUpKey>, limit: usize) -> Result<Vec<GivenUp>> {
        outbox::given_up(&self.pool, after, i64::try_from(limit).unwrap_or(i64::MAX)).await
    }

    async fn retry_given_up(&self, event: Option<(i64, Timestamp)>) -> Result<u64> {
        outbox::retry_given_up(&self.pool, event).await
    }

    async fn tidy_outbox(&self, subscribers: &[SubscriberId], kept: Duration, most: u64) -> Result<u64> {
        let ids: Vec<_> = subscribers.iter().map(|subscriber| subscriber.0).collect();
        outbox::forget(&self.pool, &ids, kept).await?;
        let mut given_up = 0;
        for id in ids {
            given_up += outbox::give_up_surplus(&self.pool, id, most).await?;
        }
        Ok(given_up)
    }

    async fn unseen_due(&self, limit: usize) -> Result<(Vec<UnseenDue>, Option<Duration>)> {
        outbox::unseen_due(&self.pool, i64::try_from(limit).unwrap_or(i64::MAX)).await
    }

    async fn settle_unseen(&self, outcomes: Vec<(i64, usize, Id, UnseenOutcome)>) -> Result<()> {
        let plan = self.plan.get().ok_or_else(|| StoreError::Engine("the outbox is not open".into()))?;
        outbox::settle_unseen(&self.pool, plan, &outcomes).await?;
        self.events_added();
        Ok(())
    }
}
