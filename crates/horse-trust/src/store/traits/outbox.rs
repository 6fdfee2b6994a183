//! The outbox of events for other systems.

use std::time::Duration;

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{
    GivenUp, GivenUpKey, Outbox, OutboxBatch, OutboxCounts, OutboxEvent, OutboxSettings, OutboxSubject,
    Settlement, SubjectQuery, SubscriberId, UnseenDue, UnseenOutcome,
};
use crate::timestamp::Timestamp;

/// The outbox of events for other systems. Until [`OutboxStore::open_outbox`] nothing is written to it.
///
/// All times are by the store's clock, which nodes share.
#[async_trait]
pub trait OutboxStore: Send + Sync + 'static {
    /// From now on each write of this process adds its events to the outbox, in its own transaction. To be called once.
    async fn open_outbox(&self, settings: OutboxSettings) -> Result<Outbox>;

    /// Takes the lease of a name for `time`, or prolongs it; `false` while another holder has it.
    async fn take_lease(&self, name: &str, holder: &str, time: Duration) -> Result<bool>;

    /// Gives all leases of a holder back.
    async fn release_leases(&self, holder: &str) -> Result<()>;

    /// Up to `limit` new events behind the number `after`, and up to `limit_due` that wait and are due.
    async fn outbox_batch(
        &self,
        subscriber: SubscriberId,
        after: i64,
        limit: usize,
        limit_due: usize,
    ) -> Result<OutboxBatch>;

    /// What events are about, in their order; `None` for a conversation that is gone.
    async fn outbox_subjects(&self, queries: Vec<SubjectQuery>) -> Result<Vec<Option<OutboxSubject>>>;

    /// Stores what became of events. When the first one that waits in a lane is done or given up, the next one is due.
    async fn settle_outbox(
        &self,
        subscriber: SubscriberId,
        events: Vec<(OutboxEvent, Settlement)>,
    ) -> Result<()>;

    /// How much is in the outbox of a subscriber.
    async fn outbox_counts(&self, subscriber: SubscriberId) -> Result<OutboxCounts>;

    /// Up to `limit` events that were given up, behind a place in the list.
    async fn given_up(&self, after: Option<GivenUpKey>, limit: usize) -> Result<Vec<GivenUp>>;

    /// Has the event with this number and time tried anew, for each subscriber, or else all that were given up until now.
    /// Answers how many.
    async fn retry_given_up(&self, event: Option<(i64, Timestamp)>) -> Result<u64>;

    /// Removes what was given up longer than `kept` ago, and what waits longer than that for subscribers that are none of
    /// these; gives up the oldest events of each that wait beyond `most`. Answers how many events were given up.
    async fn tidy_outbox(&self, subscribers: &[SubscriberId], kept: Duration, most: u64) -> Result<u64>;

    /// Up to `limit` conversations in which somebody may be away for long enough, and when the next one is due.
    async fn unseen_due(&self, limit: usize) -> Result<(Vec<UnseenDue>, Option<Duration>)>;

    /// Stores what became of them: conversation, side, outcome.
    async fn settle_unseen(&self, outcomes: Vec<(i64, usize, Id, UnseenOutcome)>) -> Result<()>;
}
