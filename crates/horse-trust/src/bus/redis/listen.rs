//! Receives what other nodes publish.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use socketio::LostSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::limits::{BACKOFF, HEARTBEAT, SILENCE};
use super::link::Listener;
use super::names::{all_channel, node_channel, user_channel};
use super::node::{ChannelRequest, RedisBus};
use super::recent_events::RecentEvents;
use crate::bus::event::{BusEvent, MessageEvent};
use crate::bus::wire::{Envelope, WireConversation, WireEvent};
use crate::store::{Conversation, Revocation};
use crate::timestamp::Timestamp;

/// How long is waited between two times of catching up with the store: at first and, when gaps recur, at most.
const CATCH_UP_PAUSE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(8)];
/// How often this node catches up without a known gap.
const CATCH_UP_INTERVAL: Duration = Duration::from_mins(1);

impl RedisBus {
    /// Receives what other nodes publish, for as long as the bus is there.
    pub(super) async fn listen(self: Arc<Self>, mut requests: mpsc::UnboundedReceiver<ChannelRequest>) {
        let mut backoff = BACKOFF[0];
        let mut nodes = HashMap::new();
        loop {
            match self.server.listen().await {
                Ok(listener) => {
                    let begin = Instant::now();
                    if let Err(error) = self.listen_over(listener, &mut requests, &mut nodes).await {
                        tracing::warn!(%error, "the subscription to Redis ended");
                    }
                    // A server that accepts connections and ends them keeps its backoff.
                    if begin.elapsed() > SILENCE {
                        backoff = BACKOFF[0];
                    }
                }
                Err(error) => tracing::warn!(%error, "subscribing to Redis failed"),
            }
            self.is_connected.store(false, Ordering::Release);
            self.metrics.set_connected(false);
            // Clients that wait are let in; what they miss is read from the store when Redis is back.
            while let Ok(request) = requests.try_recv() {
                if let ChannelRequest::Add(_, done) = request {
                    _ = done.send(());
                }
            }
            self.refresh().await;
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF[1]);
        }
    }

    /// Catches up with the store when events may be lost, and at times without a known gap, which bounds the damage of
    /// whatever has gone wrong. For as long as the bus is there.
    pub(super) async fn fill_gaps(self: Arc<Self>) {
        let mut pause = CATCH_UP_PAUSE[0];
        let mut recurs = false;
        loop {
            if !recurs {
                drop(timeout(CATCH_UP_INTERVAL, self.has_gap.notified()).await);
            }
            while !self.refresh().await {
                tokio::time::sleep(CATCH_UP_PAUSE[0]).await;
            }
            self.sequencer.catch_up_all().await;
            // When Redis comes back all nodes report gaps, one after the other; a sick node does so without end.
            tokio::time::sleep(pause).await;
            recurs = self.has_gap.notified().now_or_never().is_some();
            pause = if recurs { (pause * 2).min(CATCH_UP_PAUSE[1]) } else { CATCH_UP_PAUSE[0] };
        }
    }

    /// Discards what is cached, because events that change it may be lost. Whether that succeeded.
    async fn refresh(&self) -> bool {
        match self.sequencer.delegate() {
            Some(delegate) => delegate.refresh().await,
            None => false,
        }
    }

    /// Receives over a link, until that fails.
    async fn listen_over(
        &self,
        mut listener: Listener,
        requests: &mut mpsc::UnboundedReceiver<ChannelRequest>,
        nodes: &mut HashMap<String, Instant>,
    ) -> redis::RedisResult<()> {
        let mut channels = vec![all_channel(), node_channel(&self.node)];
        channels.extend(self.sequencer.users().iter().map(user_channel));
        listener.subscribe(&channels).await?;
        self.is_connected.store(true, Ordering::Release);
        self.metrics.set_connected(true);
        tracing::info!(node = %self.node, channels = channels.len(), "subscribed to Redis");
        self.has_gap.notify_one();
        let mut received = RecentEvents::default();
        // A node that died meanwhile is noticed after the same time.
        for seen in nodes.values_mut() {
            *seen = Instant::now();
        }
        let mut check = tokio::time::interval(HEARTBEAT);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                message = listener.next() => {
                    last = Instant::now();
                    self.receive(message?.get_payload_bytes(), &mut received, nodes);
                }
                request = requests.recv() => {
                    let Some(request) = request else { return Ok(()) };
                    self.change_subscriptions(&mut listener, request, requests).await?;
                }
                _ = check.tick() => {
                    // This node's own heartbeat arrives by the same way.
                    if last.elapsed() > SILENCE {
                        tracing::warn!("nothing was received from Redis, not even the own heartbeat");
                        return Ok(());
                    }
                    if nodes.extract_if(|_, seen| seen.elapsed() > SILENCE).count() > 0 {
                        tracing::warn!("a node is silent: what it did not publish is read from the store");
                        self.has_gap.notify_one();
                    }
                    listener.check().await?;
                }
            }
        }
    }

    /// Subscribes and unsubscribes as requested, many channels at once.
    async fn change_subscriptions(
        &self,
        listener: &mut Listener,
        first: ChannelRequest,
        requests: &mut mpsc::UnboundedReceiver<ChannelRequest>,
    ) -> redis::RedisResult<()> {
        let (mut added, mut removed, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                ChannelRequest::Add(user, done) => {
                    added.push(user_channel(&user));
                    waiting.push(done);
                }
                ChannelRequest::Remove(user) => {
                    let channel = user_channel(&user);
                    added.retain(|other| *other != channel);
                    removed.push(channel);
                }
            }
            next = if added.len() + removed.len() < 1000 { requests.try_recv().ok() } else { None };
        }
        if !removed.is_empty() {
            listener.unsubscribe(&removed).await;
        }
        if !added.is_empty() {
            listener.subscribe(&added).await?;
        }
        for done in waiting {
            // A client that has stopped waiting was let in before, and may have missed something.
            if done.send(()).is_err() {
                self.has_gap.notify_one();
            }
        }
        Ok(())
    }

    fn receive(&self, payload: &[u8], received: &mut RecentEvents, nodes: &mut HashMap<String, Instant>) {
        let envelope: Envelope<'_> = match serde_json::from_slice(payload) {
            Ok(envelope) => envelope,
            // The error's own text would quote the message.
            Err(error) => {
                let (kind, column) = (error.classify(), error.column());
                return tracing::warn!(?kind, column, "an event of another node was not understood");
            }
        };
        if *envelope.node == *self.node || !received.is_new(&envelope.node, envelope.number) {
            return;
        }
        self.metrics.received();
        match nodes.get_mut(&*envelope.node) {
            Some(seen) => *seen = Instant::now(),
            None => _ = nodes.insert(envelope.node.to_string(), Instant::now()),
        }
        let event = match envelope.event {
            WireEvent::Message { conversation, seq, positions, sender, json, notification } => {
                let message = MessageEvent {
                    conversation: conversation.into(),
                    seq,
                    positions,
                    sender,
                    json: json.get().into(),
                    notification: notification.get().into(),
                };
                return self.sequencer.receive(message, None);
            }
            WireEvent::Recheck { conversation } => {
                return self.sequencer.recheck(&Arc::<Conversation>::from(conversation));
            }
            WireEvent::RequestSocket { asker, question, user, pid, offset, hops } => {
                let lost = LostSocket { pid: &pid, offset: offset.as_deref() };
                return self.socket_requested(&asker, question, &user, lost, hops);
            }
            WireEvent::SendSocket { question, socket } => return self.socket_answered(question, socket),
            WireEvent::Alive => return,
            WireEvent::EventsLost => return self.has_gap.notify_one(),
            WireEvent::Goodbye => {
                nodes.remove(&*envelope.node);
                // The last events that it had to publish may be lost with it.
                return self.has_gap.notify_one();
            }
            WireEvent::Event { argument, users, presence: Some((user, version)), .. }
                if !users
                    .iter()
                    .all(|receiver| self.admits_presence(receiver, &user, version, argument.get())) =>
            {
                return;
            }
            WireEvent::Event { name, argument, conversation, users, .. } => BusEvent::Emit {
                name: name.into_owned().into(),
                argument: argument.get().to_owned(),
                conversation: conversation.map(WireConversation::into),
                users,
                except: None,
            },
            WireEvent::Typing { user, conversation, types } => BusEvent::Typing {
                user,
                conversation: conversation.into(),
                types,
                node: Some(envelope.node.as_ref().into()),
            },
            WireEvent::TokensRevoked { user, not_before, generation } => {
                let revocation = Revocation { generation, not_before: Timestamp(not_before) };
                BusEvent::TokensRevoked { user, revocation }
            }
            WireEvent::UnreadChanged { user, conversation } => {
                BusEvent::UnreadChanged { user, conversation: conversation.into() }
            }
            WireEvent::BlocksChanged { users } => BusEvent::BlocksChanged { users },
            WireEvent::ProfileChanged { user } => BusEvent::ProfileChanged { user },
            WireEvent::ListingChanged { horse } => BusEvent::ListingChanged { horse },
            WireEvent::ConversationChanged { user, conversation } => {
                BusEvent::ConversationChanged { user, conversation }
            }
        };
        if let Some(delegate) = self.sequencer.delegate() {
            delegate.event_received(&event);
        }
        // This node may know a revocation from the store already; then the sockets that it has now are newer. The chat decides.
        if !matches!(event, BusEvent::TokensRevoked { .. }) {
            self.hub.deliver(&event);
        }
    }
}
