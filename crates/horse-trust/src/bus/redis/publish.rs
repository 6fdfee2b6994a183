//! Telling other nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use redis::aio::MultiplexedConnection;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::super::wire::{Envelope, News};
use super::{BACKOFF, HEARTBEAT, Outgoing, PIPELINE, RESPONSE, RedisBus, all_channel, channels_of};
use crate::store::Conversation;

impl RedisBus {
    pub(super) fn envelope(&self, news: News<'_>) -> String {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let envelope = Envelope { node: self.node.as_str().into(), number, news };
        serde_json::to_string(&envelope).expect("texts, numbers and JSON always serialize")
    }

    /// Hands over to the task that tells other nodes; what is too much is noted.
    pub(super) fn send(
        &self,
        channels: Vec<String>,
        news: News<'_>,
        message: Option<(Arc<Conversation>, i64)>,
    ) {
        let outgoing = Outgoing { channels, payload: self.envelope(news), message };
        if let Err(mpsc::error::TrySendError::Full(outgoing) | mpsc::error::TrySendError::Closed(outgoing)) =
            self.outgoing.try_send(outgoing)
        {
            self.note_untold([outgoing]);
        }
    }

    pub(super) fn note_untold(&self, all: impl IntoIterator<Item = Outgoing>) {
        let mut untold = self.untold.lock();
        for (conversation, seq) in all.into_iter().filter_map(|outgoing| outgoing.message) {
            let entry = untold.entry(conversation.key).or_insert((conversation, seq));
            entry.1 = entry.1.max(seq);
        }
        if !untold.is_empty() {
            self.has_untold.notify_one();
        }
    }

    /// Tells other nodes, for as long as the bus is there.
    pub(super) async fn publish_all(self: Arc<Self>, mut waiting: mpsc::Receiver<Outgoing>) {
        let mut backoff = BACKOFF[0];
        loop {
            match timeout(RESPONSE, self.client.get_multiplexed_async_connection()).await {
                Ok(Ok(mut connection)) => {
                    connection.set_response_timeout(RESPONSE);
                    *self.questions.lock() = Some(connection.clone());
                    self.must_announce.store(true, Ordering::Release);
                    backoff = BACKOFF[0];
                    self.publish_over(connection, &mut waiting).await;
                    *self.questions.lock() = None;
                    if waiting.is_closed() {
                        return;
                    }
                }
                Ok(Err(error)) => tracing::warn!(%error, "Redis can't be told"),
                Err(_) => tracing::warn!("Redis did not answer in time"),
            }
            // What waits is old news by the time that Redis is back; messages are read from the store then.
            while let Ok(outgoing) = waiting.try_recv() {
                self.note_untold([outgoing]);
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF[1]);
        }
    }

    /// Tells other nodes over a connection, until that fails.
    async fn publish_over(
        &self,
        mut connection: MultiplexedConnection,
        waiting: &mut mpsc::Receiver<Outgoing>,
    ) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                count = waiting.recv_many(&mut batch, PIPELINE) => if count == 0 { return },
                _ = heartbeat.tick() => batch.push(self.to_all(News::Alive)),
                () = self.has_untold.notified() => {}
            }
            batch.extend(self.take_untold());
            // What could not be told was told by another turn; an empty pipeline is an error to the client.
            if batch.is_empty() {
                continue;
            }
            let mut pipeline = redis::pipe();
            for outgoing in &batch {
                for channel in &outgoing.channels {
                    pipeline.publish(channel, &outgoing.payload).ignore();
                }
            }
            let begin = Instant::now();
            let told = pipeline.query_async::<()>(&mut connection).await;
            self.metrics.published(begin.into_std(), told.is_ok());
            if let Err(error) = told {
                tracing::warn!(%error, "Redis was not told");
                self.note_untold(batch);
                return;
            }
        }
    }

    pub(super) fn to_all(&self, news: News<'_>) -> Outgoing {
        Outgoing { channels: vec![all_channel()], payload: self.envelope(news), message: None }
    }

    /// News of conversations of which something could not be told.
    fn take_untold(&self) -> Vec<Outgoing> {
        let untold = std::mem::take(&mut *self.untold.lock());
        untold
            .into_values()
            .map(|(conversation, seq)| Outgoing {
                channels: channels_of(&conversation.participants),
                payload: self.envelope(News::End { conversation: (&*conversation).into(), seq }),
                message: Some((conversation, seq)),
            })
            .collect()
    }
}
