//! Sends the events of one URL, as long as it runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::metrics::Figures;
use super::payload;
use super::queue::{Attempt, Queue};
use super::sender::Sender;
use crate::admin::webhook_id;
use crate::chat::Chat;
use crate::store::{OutboxEvent, Store, StoreError, SubscriberId};
use crate::timestamp::Timestamp;

/// How many events are sent to one URL at once.
pub(super) const MOST_IN_FLIGHT: usize = 32;
/// How many events of one URL are in memory; about 150 bytes each.
const MOST_LOADED: usize = 512;
/// For how long a node has the right to send. A node that is killed delays events by that much.
const LEASE: Duration = Duration::from_secs(25);
/// How often it is prolonged.
const RENEWAL: Duration = Duration::from_secs(3);
/// An attempt begins only if the lease lasts longer than an attempt, so that two nodes never send the same lane.
const RESERVE: Duration = Duration::from_secs(16);
/// How long what other nodes add, or an operator retries, may lie there before it is looked for.
const LOOK: Duration = Duration::from_millis(500);
/// How long to wait after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// What the task of one URL has.
pub(super) struct Dispatcher {
    pub(super) chat: Arc<Chat>,
    pub(super) store: Arc<dyn Store>,
    pub(super) subscriber: SubscriberId,
    pub(super) sender: Arc<Sender>,
    pub(super) origin: String,
    /// Who this node is, for the lease.
    pub(super) holder: Arc<str>,
    pub(super) added: Arc<Notify>,
    pub(super) figures: Figures,
}

type Attempts = JoinSet<(OutboxEvent, Attempt)>;

impl Dispatcher {
    fn lease(&self) -> String {
        format!("webhook {}", self.subscriber)
    }

    /// Sends while it has the lease, and waits for it else.
    pub(super) async fn run(self) {
        loop {
            match self.store.take_lease(&self.lease(), &self.holder, LEASE).await {
                Ok(true) => {
                    if let Err(error) = self.send_all(Instant::now()).await {
                        tracing::warn!(%error, origin = %self.origin, "webhooks wait for the store");
                        sleep(PAUSE).await;
                    }
                }
                Ok(false) => sleep(RENEWAL).await,
                Err(error) => {
                    tracing::warn!(%error, "the lease of webhooks was not taken");
                    sleep(RENEWAL).await;
                }
            }
        }
    }

    /// Sends until the lease is lost or the store fails. What is in flight then is dropped, and sent again.
    async fn send_all(&self, mut leased_at: Instant) -> Result<(), StoreError> {
        let mut queue = Queue::new(MOST_IN_FLIGHT, MOST_LOADED);
        let mut attempts = Attempts::new();
        let mut look_at = Instant::now();
        let mut renew_at = leased_at + RENEWAL;
        loop {
            if Instant::now() >= renew_at {
                let asked_at = Instant::now();
                match self.store.take_lease(&self.lease(), &self.holder, LEASE).await {
                    Ok(true) => leased_at = asked_at,
                    Ok(false) => return Ok(()),
                    Err(error) => tracing::warn!(%error, "the lease of webhooks was not prolonged"),
                }
                renew_at = asked_at + RENEWAL;
            }
            let settled = queue.take_settled();
            if !settled.is_empty() {
                self.store.settle_outbox(self.subscriber, settled).await?;
                look_at = Instant::now();
            }
            let now = Instant::now();
            if now >= look_at && queue.room() > 0 {
                let (after, room) = (queue.last_number(), queue.room());
                let batch = self.store.outbox_batch(self.subscriber, after, room, MOST_IN_FLIGHT).await?;
                let is_more = batch.new.len() == room;
                look_at =
                    now + if is_more { Duration::ZERO } else { LOOK.min(batch.next_due.unwrap_or(LOOK)) };
                queue.load(batch);
            }
            if now < leased_at + LEASE - RESERVE {
                self.start(&mut queue, &mut attempts).await?;
            }
            let can_load = queue.room() > 0;
            tokio::select! {
                Some(finished) = attempts.join_next(), if !attempts.is_empty() => {
                    self.finish(&mut queue, finished)?;
                    while let Some(finished) = attempts.try_join_next() {
                        self.finish(&mut queue, finished)?;
                    }
                }
                () = self.added.notified(), if can_load => look_at = Instant::now(),
                () = sleep_until(look_at), if can_load => {}
                () = sleep_until(renew_at) => {}
            }
        }
    }

    /// Starts what may be sent. What the events are about is read in one go.
    async fn start(&self, queue: &mut Queue, attempts: &mut Attempts) -> Result<(), StoreError> {
        let started: Vec<_> = std::iter::from_fn(|| queue.start()).collect();
        if started.is_empty() {
            return Ok(());
        }
        let queries: Vec<_> = started.iter().filter_map(payload::query).collect();
        let mut subjects =
            if queries.is_empty() { Vec::new() } else { self.store.outbox_subjects(queries).await? }
                .into_iter();
        for event in started {
            let subject = payload::query(&event).and_then(|_| subjects.next().flatten());
            let (chat, store, sender) =
                (Arc::clone(&self.chat), Arc::clone(&self.store), Arc::clone(&self.sender));
            attempts.spawn(async move {
                let attempt = match payload::body(&chat, &*store, &event, subject.as_ref()).await {
                    Ok(Some(body)) => sender.send(&webhook_id(event.number, event.at), body).await,
                    Ok(None) => Attempt::Received,
                    Err(error) => {
                        tracing::warn!(%error, "the body of a webhook was not made");
                        sleep(PAUSE).await;
                        Attempt::Untried
                    }
                };
                (event, attempt)
            });
        }
        Ok(())
    }

    fn finish(
        &self,
        queue: &mut Queue,
        finished: Result<(OutboxEvent, Attempt), tokio::task::JoinError>,
    ) -> Result<(), StoreError> {
        let (event, attempt) =
            finished.map_err(|error| StoreError::Engine(format!("sending broke off: {error}").into()))?;
        let age = Duration::from_millis(u64::try_from(Timestamp::now().0 - event.at.0).unwrap_or(0));
        match &attempt {
            Attempt::Received => self.figures.sent.inc(),
            Attempt::Failed(error) | Attempt::Refused(error) => {
                self.figures.failed.inc();
                let (kind, attempts, origin) = (event.kind.name(), event.attempts + 1, &self.origin);
                tracing::warn!(%origin, kind, attempts, %error, "a webhook was not received");
            }
            Attempt::Untried => {}
        }
        queue.finish(event, attempt, age);
        Ok(())
    }
}
