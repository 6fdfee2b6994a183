//! Telling other nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::wire::{Envelope, WireEvent};
use super::link::Link;
use super::{BACKOFF, HEARTBEAT, Outgoing, PIPELINE, RedisBus, SILENCE, all_channel, queue};

/// How much of what may wait is told in one round trip.
const IN_TIME: usize = 64;

impl RedisBus {
    pub(super) fn envelope(&self, event: WireEvent<'_>) -> String {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let envelope = Envelope { node: self.node.as_str().into(), number, event };
        serde_json::to_string(&envelope).expect("texts, numbers and JSON always serialize")
    }

    /// Hands over to the task that tells other nodes; what is too much is noted.
    pub(super) fn send(&self, channels: Vec<String>, event: WireEvent<'_>) {
        if self.outgoing.try_send(Outgoing { channels, payload: self.envelope(event) }).is_err() {
            self.has_lost_events.store(true, Ordering::Release);
        }
    }

    /// Tells other nodes, for as long as the bus is there.
    pub(super) async fn publish_all(
        self: Arc<Self>,
        mut waiting: queue::Receiver<Outgoing>,
        mut in_time: mpsc::Receiver<Outgoing>,
    ) {
        let mut backoff = BACKOFF[0];
        loop {
            match self.server.connect().await {
                Ok(link) => {
                    let begin = Instant::now();
                    *self.questions.lock() = Some(link.clone());
                    self.must_announce.store(true, Ordering::Release);
                    self.publish_over(&link, &mut waiting, &mut in_time).await;
                    *self.questions.lock() = None;
                    if waiting.is_closed() {
                        return;
                    }
                    // Also what Redis took: a shard that another had replaced has told it to nobody.
                    self.has_lost_events.store(true, Ordering::Release);
                    // Else a server that takes connections and ends them would be asked without a pause.
                    if begin.elapsed() > SILENCE {
                        backoff = BACKOFF[0];
                    }
                }
                Err(error) => tracing::warn!(%error, "connecting to Redis to publish failed"),
            }
            // What waits is old news by the time that Redis is back.
            if waiting.clear() {
                self.has_lost_events.store(true, Ordering::Release);
            }
            while in_time.try_recv().is_ok() {}
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF[1]);
        }
    }

    /// Tells other nodes over a link, until that fails.
    async fn publish_over(
        &self,
        link: &Link,
        waiting: &mut queue::Receiver<Outgoing>,
        in_time: &mut mpsc::Receiver<Outgoing>,
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
                // So few that the next message does not wait for them.
                _ = in_time.recv_many(&mut later, IN_TIME), if is_idle => batch.append(&mut later),
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
            let told = link.query::<()>(&pipeline).await;
            self.metrics.published(begin.into_std(), told.is_ok());
            if let Err(error) = told {
                tracing::warn!(%error, "publishing to Redis failed");
                return;
            }
        }
    }

    pub(super) fn to_all(&self, event: WireEvent<'_>) -> Outgoing {
        Outgoing { channels: vec![all_channel()], payload: self.envelope(event) }
    }
}
