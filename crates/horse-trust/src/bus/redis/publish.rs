//! Publishes what is queued.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::limits::{BACKOFF, HEARTBEAT, PIPELINE, SILENCE};
use super::link::Link;
use super::node::{Outgoing, RedisBus};
use super::queue;
use crate::bus::wire::WireEvent;

/// How many low-priority events go in one round trip: so few that the next message does not wait for them.
const LOW_PRIORITY: usize = 64;

impl RedisBus {
    /// Publishes what is queued, for as long as the bus is there.
    pub(super) async fn publish_queued(
        self: Arc<Self>,
        mut waiting: queue::Receiver<Outgoing>,
        mut low_priority: mpsc::Receiver<Outgoing>,
    ) {
        let mut backoff = BACKOFF[0];
        loop {
            match self.server.connect().await {
                Ok(link) => {
                    let begin = Instant::now();
                    *self.link.lock() = Some(link.clone());
                    self.must_announce.store(true, Ordering::Release);
                    self.publish_over(&link, &mut waiting, &mut low_priority).await;
                    *self.link.lock() = None;
                    if waiting.is_closed() {
                        return;
                    }
                    // Also what Redis accepted: a shard that was replaced has sent it to no subscriber.
                    self.has_lost_events.store(true, Ordering::Release);
                    // A server that accepts connections and ends them keeps its backoff.
                    if begin.elapsed() > SILENCE {
                        backoff = BACKOFF[0];
                    }
                }
                Err(error) => tracing::warn!(%error, "connecting to Redis to publish failed"),
            }
            // What waits is out of date by the time that Redis is back.
            if waiting.clear() {
                self.has_lost_events.store(true, Ordering::Release);
            }
            while low_priority.try_recv().is_ok() {}
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF[1]);
        }
    }

    /// Publishes over a link, until that fails.
    async fn publish_over(
        &self,
        link: &Link,
        waiting: &mut queue::Receiver<Outgoing>,
        low_priority: &mut mpsc::Receiver<Outgoing>,
    ) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            let mut batch = Vec::new();
            let mut later = Vec::new();
            let is_idle = waiting.is_empty();
            tokio::select! {
                count = waiting.recv_many(&mut batch, PIPELINE) => if count == 0 { return },
                _ = heartbeat.tick() => {
                    if let Err(error) = link.check().await {
                        tracing::warn!(%error, "the connection to Redis failed its check");
                        return;
                    }
                    batch.push(self.to_all(WireEvent::Alive));
                }
                _ = low_priority.recv_many(&mut later, LOW_PRIORITY), if is_idle => batch.append(&mut later),
            }
            if self.has_lost_events.swap(false, Ordering::AcqRel) {
                batch.push(self.to_all(WireEvent::EventsLost));
            }
            let mut pipeline = redis::pipe();
            for outgoing in &batch {
                for channel in &outgoing.channels {
                    pipeline.cmd(self.server.publish()).arg(channel).arg(&outgoing.payload).ignore();
                }
            }
            let begin = Instant::now();
            let published = link.query::<()>(&pipeline).await;
            self.metrics.published(begin.into_std(), published.is_ok());
            if let Err(error) = published {
                tracing::warn!(%error, "publishing to Redis failed");
                return;
            }
        }
    }
}
