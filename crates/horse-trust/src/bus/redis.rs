//! The bus of several nodes: Redis (or Valkey) publish/subscribe.
//!
//! A node listens to the channels of the users who have a socket on it, and to one for all nodes. An event of a
//! conversation goes to the channels of its two users, so a node that has none of them does no work for it. Sockets of
//! the own node are told first and never wait for Redis. Publish/subscribe may lose: what counts, messages, is brought
//! in order and healed from the store by the [`Sequencer`], after any gap, a reconnect, and the death of a node.

mod cluster;
mod connect;
mod link;
mod listen;
mod presence;
mod publish;
mod queue;
mod rates;
mod recovery;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use socketio::{LostSocket, RecoveryConfig, Socket};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::link::{Link, Server};
use self::presence::GoneNodes;
use self::rates::Used;
use self::recovery::{Moved, Questions};
use super::sequencer::Sequencer;
use super::wire::WireEvent;
use super::{
    Bus, BusEvent, DeliveryWait, HandedOver, Hub, MessageEvent, MessageQuota, Reached, Source,
    SubscribeFuture, Subscription, Told,
};
use crate::id::Id;
use crate::metrics::BusMetrics;
use crate::store::Conversation;

/// Before every channel and key.
const PREFIX: &str = "horse-trust:";
/// How many bytes of events may wait to be published; beyond, other nodes read messages from the store.
const OUTGOING: usize = 32 * 1024 * 1024;
/// How many are told in one round trip.
const PIPELINE: usize = 256;
/// How long Redis may take for an answer.
const RESPONSE: Duration = Duration::from_secs(2);
/// How long is waited between two tries to connect, at first and at most.
const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// How often a node says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long without a heartbeat, its own included, a node or the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(4);

/// Why the bus can't be used. Never holds the password.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL: {0}")]
pub struct RedisError(String);

/// The name of a process among the nodes: no two have the same.
#[derive(Debug, Clone)]
pub struct NodeName(String);

impl NodeName {
    /// A new one.
    pub fn random() -> Result<Self, RedisError> {
        let name = getrandom::u64().map_err(|error| RedisError(error.to_string()))?;
        Ok(Self(format!("{name:x}")))
    }

    /// Has sockets that are lost on this node found by the others.
    pub fn mark(&self, recovery: &mut RecoveryConfig) -> Result<(), RedisError> {
        recovery.id_prefix = format!("{}.", self.0).into();
        // So far apart that no two nodes number an event alike.
        recovery.first_offset = getrandom::u64().map_err(|error| RedisError(error.to_string()))? >> 1;
        Ok(())
    }
}

/// The bus.
pub struct RedisBus {
    hub: Arc<Hub>,
    sequencer: Arc<Sequencer>,
    server: Server,
    /// This process.
    node: String,
    next_number: AtomicU64,
    outgoing: queue::Sender<Outgoing>,
    /// What goes when nothing of `outgoing` waits.
    in_time: mpsc::Sender<Outgoing>,
    channel_requests: mpsc::UnboundedSender<ChannelRequest>,
    /// Whether what other nodes tell is heard.
    is_connected: AtomicBool,
    /// Whether others may not have heard all that was told here.
    has_lost_events: AtomicBool,
    /// Whether something may have been missed here.
    has_gap: Notify,
    /// Sockets that other nodes were asked for.
    asked: Mutex<Questions>,
    gone: Mutex<GoneNodes>,
    /// What Redis is to be told of rates.
    used: Mutex<Used>,
    has_used: Notify,
    /// Who notes that users came or went has the turn: what is noted last is what is so.
    presence_turn: tokio::sync::Mutex<()>,
    /// Whether Redis may not know who is here.
    must_announce: AtomicBool,
    /// Sockets that other nodes have got.
    moved: Mutex<Moved>,
    /// For questions and answers; `None` while there is no connection.
    questions: Mutex<Option<Link>>,
    tasks: Mutex<JoinSet<()>>,
    metrics: Arc<BusMetrics>,
}

struct Outgoing {
    channels: Vec<String>,
    payload: String,
}

impl queue::Weight for Outgoing {
    fn bytes(&self) -> usize {
        self.payload.len() + self.channels.iter().map(String::len).sum::<usize>()
    }
}

enum ChannelRequest {
    /// Listen to a user's channel, and say when that is so.
    Add(Id, oneshot::Sender<()>),
    Remove(Id),
}

impl RedisBus {
    /// A bus over the Redis at `urls`, or the Redis Cluster that they belong to, with commas between them. It has to
    /// answer now; later it may go and come back.
    pub async fn connect(
        urls: &str,
        is_cluster: bool,
        node: NodeName,
        hub: Arc<Hub>,
        metrics: BusMetrics,
    ) -> Result<Arc<Self>, RedisError> {
        let metrics = Arc::new(metrics);
        let failed = |error: redis::RedisError| RedisError(error.to_string());
        let server = Server::new(urls, is_cluster).map_err(failed)?;
        server.check().await.map_err(failed)?;
        let (outgoing, waiting) = queue::queue(OUTGOING);
        let (in_time, waiting_in_time) = mpsc::channel(PIPELINE);
        let (channel_requests, requests) = mpsc::unbounded_channel();
        let bus = Arc::new(Self {
            sequencer: Sequencer::new(Arc::clone(&hub), Arc::clone(&metrics)),
            hub,
            server,
            node: node.0,
            next_number: AtomicU64::new(0),
            outgoing,
            in_time,
            channel_requests,
            is_connected: AtomicBool::new(false),
            has_lost_events: AtomicBool::new(false),
            has_gap: Notify::new(),
            questions: Mutex::new(None),
            asked: Mutex::default(),
            gone: Mutex::default(),
            used: Mutex::default(),
            has_used: Notify::new(),
            presence_turn: tokio::sync::Mutex::new(()),
            must_announce: AtomicBool::new(true),
            moved: Mutex::default(),
            tasks: Mutex::default(),
            metrics,
        });
        let mut tasks = bus.tasks.lock();
        tasks.spawn(Arc::clone(&bus).publish_all(waiting, waiting_in_time));
        tasks.spawn(Arc::clone(&bus).listen(requests));
        tasks.spawn(Arc::clone(&bus).look_after());
        tasks.spawn(Arc::clone(&bus).publish_rates());
        drop(tasks);
        Ok(bus)
    }

    /// Has missing messages read from `source`, and tells it what other nodes tell.
    pub fn set_source(self: &Arc<Self>, source: std::sync::Weak<dyn Source>) {
        self.sequencer.set_source(source);
        self.tasks.lock().spawn(Arc::clone(self).fill_gaps());
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn publish_message(&self, message: MessageEvent, told: Told) {
        let outgoing = message.clone();
        self.sequencer.receive(message, Some(told));
        let Some(event) = WireEvent::from_message(&outgoing) else { return };
        self.send(channels_of(&outgoing.conversation.participants), event);
    }

    fn recheck(&self, conversation: &Arc<Conversation>) {
        self.sequencer.recheck(conversation);
        let event = WireEvent::Recheck { conversation: (&**conversation).into() };
        self.send(channels_of(&conversation.participants), event);
    }

    fn has_other_nodes(&self) -> bool {
        true
    }

    fn publish_locally(&self, event: &BusEvent) {
        self.hub.deliver(event);
    }

    fn publish(&self, event: BusEvent) {
        self.hub.deliver(&event);
        let channels = match &event {
            BusEvent::Emit { conversation, users, .. } => {
                let mut all: Vec<&Id> = users.iter().collect();
                if let Some(conversation) = conversation {
                    all.extend(conversation.participants.iter().filter(|user| !users.contains(user)));
                }
                channels_of(all)
            }
            BusEvent::Typing { conversation, .. } => channels_of(&conversation.participants),
            BusEvent::UnreadChanged { user, .. } => vec![user_channel(user)],
            _ => vec![all_channel()],
        };
        if let Some(event) = WireEvent::from_event(&event) {
            self.send(channels, event);
        }
    }

    async fn publish_to_each(&self, name: &'static str, argument: &str, users: &[Id]) {
        self.hub.publish_to_each(name, argument, users).await;
        // While Redis is away nobody waits for it.
        if self.questions.lock().is_none() {
            return;
        }
        let Ok(argument) = serde_json::from_str::<&RawValue>(argument) else { return };
        for user in users {
            // Each is told what is theirs: the list of all would go to all.
            let users = vec![user.clone()];
            let event = WireEvent::Event { name: name.into(), argument, conversation: None, users };
            let payload = self.envelope(event);
            let outgoing = Outgoing { channels: vec![user_channel(user)], payload };
            // When Redis is slower than what it is told, it is old news when it comes.
            if !matches!(timeout(RESPONSE, self.in_time.send(outgoing)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    fn has_device(&self, user: &Id) -> bool {
        self.hub.has_device(user)
    }

    fn subscribe(&self, user: &Id) -> Option<SubscribeFuture> {
        let is_tracked = self.sequencer.claim(user);
        let claim = Claim { sequencer: Arc::clone(&self.sequencer), user: user.clone() };
        let channel_requests = self.channel_requests.clone();
        Some(Box::pin(async move {
            if !is_tracked {
                let (done, added) = oneshot::channel();
                // Without a listener, or while Redis is away, nobody is kept waiting.
                drop(channel_requests.send(ChannelRequest::Add(claim.user.clone(), done)));
                drop(timeout(RESPONSE, added).await);
                claim.sequencer.follow(&claim.user).await;
            }
            Subscription(Box::new(claim))
        }))
    }

    async fn take_over(&self, user: &Id, lost: LostSocket<'_>) -> Option<Box<HandedOver>> {
        self.ask_for(user, lost).await
    }

    fn restore(&self, socket: &Socket, user: &Id, reached: Reached, rooms: &[Box<str>]) {
        self.sequencer.restore(socket, user, reached, rooms);
    }

    fn record_usage(&self, user: &Id, count: u32, quota: MessageQuota) {
        self.note_rate(user, count, quota);
    }

    async fn take(&self, user: &Id, quota: MessageQuota) -> Option<Duration> {
        self.take_from_quota(user, quota).await
    }

    async fn set_present(&self, users: &[Id], are_present: bool) -> Vec<bool> {
        // While Redis is away each node speaks for itself.
        match self.change_presence(users, are_present).await {
            Some(elsewhere) => elsewhere.iter().map(|is_there| !is_there).collect(),
            None => vec![true; users.len()],
        }
    }

    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool> {
        if users.is_empty() {
            return Vec::new();
        }
        self.look_elsewhere(users).await.unwrap_or_else(|| vec![false; users.len()])
    }

    async fn wait_until_delivered(&self, user: &Id, position: i64) -> DeliveryWait {
        if self.sequencer.wait_until_delivered(user, position).await {
            DeliveryWait::Done
        } else {
            DeliveryWait::TimedOut
        }
    }

    async fn close(&self) {
        // What waits is told first, if Redis takes it.
        let is_told = async {
            while !self.outgoing.is_empty() {
                tokio::time::sleep(BACKOFF[0]).await;
            }
        };
        if timeout(RESPONSE / 2, is_told).await.is_err() {
            tracing::warn!("the other nodes were not told all; they read it from the store");
        }
        // None of them says afterwards that the node is there.
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        self.end_lease().await;
        let goodbye = self.to_all(WireEvent::Goodbye);
        let mut pipeline = redis::pipe();
        pipeline.cmd(self.server.publish()).arg(all_channel()).arg(&goodbye.payload).ignore();
        if self.ask::<()>(&pipeline).await.is_none() {
            tracing::warn!("Redis was not told goodbye");
        }
    }
}

/// A device's claim.
struct Claim {
    sequencer: Arc<Sequencer>,
    user: Id,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.sequencer.release(&self.user);
    }
}

fn user_channel(user: &Id) -> String {
    format!("{PREFIX}user:{user}")
}

/// The channel that every node hears.
fn all_channel() -> String {
    format!("{PREFIX}all")
}

/// The channel that one node hears.
fn node_channel(node: &str) -> String {
    format!("{PREFIX}node:{node}")
}

fn channels_of<'a>(users: impl IntoIterator<Item = &'a Id>) -> Vec<String> {
    users.into_iter().map(user_channel).collect()
}
