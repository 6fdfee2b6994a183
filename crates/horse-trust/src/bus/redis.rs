//! The bus of several nodes: Redis (or Valkey) publish/subscribe.
//!
//! A node listens to the channels of the users who have a socket on it, and to one for all nodes. News of a
//! conversation goes to the channels of its two users, so a node that has none of them does no work for it. Sockets of
//! the own node are told first and never wait for Redis. Publish/subscribe may lose: what counts, messages, is brought
//! in order and healed from the store by the [`Sequencer`], after any gap, a reconnect, and the death of a node.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use parking_lot::Mutex;
use redis::aio::{MultiplexedConnection, PubSub, PubSubSink};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::sequencer::Sequencer;
use super::wire::{Envelope, News};
use super::{Attached, Attaching, Bus, Hub, MessageNotice, Notice, Source, Told};
use crate::id::Id;
use crate::metrics::BusMetrics;
use crate::store::Conversation;

/// Before every channel and key.
const PREFIX: &str = "horse-trust:";
/// How many pieces of news may wait to be told; beyond, other nodes read messages from the store.
const OUTGOING: usize = 20_000;
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
/// How long a user's presence lasts that is not renewed, in seconds.
const PRESENCE_SECONDS: u64 = 60;
/// How often it is renewed.
const PRESENCE_RENEWAL: Duration = Duration::from_secs(20);
/// How often users who are gone are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// How many pieces of news are remembered, so that what comes by two channels is heard once.
const HEARD: usize = 16_384;

/// Why the bus can't be used. Never holds the password.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL: {0}")]
pub struct RedisError(String);

/// The bus.
pub struct RedisBus {
    hub: Arc<Hub>,
    sequencer: Arc<Sequencer>,
    client: redis::Client,
    /// This process: no two nodes have the same.
    node: String,
    next_number: AtomicU64,
    outgoing: mpsc::Sender<Outgoing>,
    subscriptions: mpsc::UnboundedSender<Subscription>,
    /// Whether what other nodes tell is heard.
    is_connected: AtomicBool,
    /// Conversations of which something could not be told, with the last message.
    untold: Mutex<HashMap<i64, (Arc<Conversation>, i64)>>,
    has_untold: Notify,
    /// For questions and answers; `None` while there is no connection.
    questions: Mutex<Option<MultiplexedConnection>>,
    tasks: Mutex<JoinSet<()>>,
    metrics: Arc<BusMetrics>,
}

struct Outgoing {
    channels: Vec<String>,
    payload: String,
    /// The message that it tells of.
    message: Option<(Arc<Conversation>, i64)>,
}

enum Subscription {
    /// Listen to a user's channel, and say when that is so.
    Add(Id, oneshot::Sender<()>),
    Remove(Id),
}

/// Whether a user has a device on any node. One key a user: a sorted set of nodes by the second in which their word
/// ends, by the clock of Redis. `ARGV`: node, 1 or 0, seconds. Answers whether no other node has a device.
const PRESENCE: &str = r"
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREM', KEYS[1], ARGV[1])
local others = redis.call('ZCARD', KEYS[1])
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[3] + 1)
end
return others == 0 and 1 or 0";

/// Whether another node has a device of a user. `ARGV`: node.
const ELSEWHERE: &str = r"
local now = tonumber(redis.call('TIME')[1])
local nodes = redis.call('ZRANGEBYSCORE', KEYS[1], now + 1, '+inf')
for _, node in ipairs(nodes) do if node ~= ARGV[1] then return 1 end end
return 0";

impl RedisBus {
    /// A bus over the Redis at `url`, which has to answer now; later it may go and come back.
    pub async fn connect(url: &str, hub: Arc<Hub>, metrics: BusMetrics) -> Result<Arc<Self>, RedisError> {
        let metrics = Arc::new(metrics);
        let failed = |error: redis::RedisError| RedisError(error.to_string());
        let client = redis::Client::open(url).map_err(failed)?;
        let pubsub = timeout(RESPONSE, client.get_async_pubsub()).await;
        drop(pubsub.map_err(|_| RedisError("no answer in time".to_owned()))?.map_err(failed)?);
        let (outgoing, waiting) = mpsc::channel(OUTGOING);
        let (subscriptions, requests) = mpsc::unbounded_channel();
        let node = getrandom::u64().map_err(|error| RedisError(error.to_string()))?;
        let bus = Arc::new(Self {
            sequencer: Sequencer::new(Arc::clone(&hub), Arc::clone(&metrics)),
            hub,
            client,
            node: format!("{node:x}"),
            next_number: AtomicU64::new(0),
            outgoing,
            subscriptions,
            is_connected: AtomicBool::new(false),
            untold: Mutex::default(),
            has_untold: Notify::new(),
            questions: Mutex::new(None),
            tasks: Mutex::default(),
            metrics,
        });
        let mut tasks = bus.tasks.lock();
        tasks.spawn(Arc::clone(&bus).publish_all(waiting));
        tasks.spawn(Arc::clone(&bus).listen(requests));
        tasks.spawn(Arc::clone(&bus).look_after());
        drop(tasks);
        Ok(bus)
    }

    /// Has missing messages read from `source`, and tells it what other nodes tell.
    pub fn set_source(&self, source: std::sync::Weak<dyn Source>) {
        self.sequencer.set_source(source);
    }

    fn envelope(&self, news: News<'_>) -> String {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let envelope = Envelope { node: self.node.as_str().into(), number, news };
        serde_json::to_string(&envelope).expect("texts, numbers and JSON always serialize")
    }

    /// Hands over to the task that tells other nodes; what is too much is noted.
    fn send(&self, channels: Vec<String>, news: News<'_>, message: Option<(Arc<Conversation>, i64)>) {
        let outgoing = Outgoing { channels, payload: self.envelope(news), message };
        if let Err(mpsc::error::TrySendError::Full(outgoing) | mpsc::error::TrySendError::Closed(outgoing)) =
            self.outgoing.try_send(outgoing)
        {
            self.note_untold([outgoing]);
        }
    }

    fn note_untold(&self, all: impl IntoIterator<Item = Outgoing>) {
        let mut untold = self.untold.lock();
        for (conversation, seq) in all.into_iter().filter_map(|outgoing| outgoing.message) {
            let entry = untold.entry(conversation.key).or_insert((conversation, seq));
            entry.1 = entry.1.max(seq);
        }
        self.has_untold.notify_one();
    }

    // Telling

    /// Tells other nodes, for as long as the bus is there.
    async fn publish_all(self: Arc<Self>, mut waiting: mpsc::Receiver<Outgoing>) {
        let mut backoff = BACKOFF[0];
        loop {
            match timeout(RESPONSE, self.client.get_multiplexed_async_connection()).await {
                Ok(Ok(mut connection)) => {
                    connection.set_response_timeout(RESPONSE);
                    *self.questions.lock() = Some(connection.clone());
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

    fn to_all(&self, news: News<'_>) -> Outgoing {
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

    // Listening

    /// Hears what other nodes tell, for as long as the bus is there.
    async fn listen(self: Arc<Self>, mut requests: mpsc::UnboundedReceiver<Subscription>) {
        let mut backoff = BACKOFF[0];
        let mut is_first = true;
        loop {
            match timeout(RESPONSE, self.client.get_async_pubsub()).await {
                Ok(Ok(pubsub)) => {
                    backoff = BACKOFF[0];
                    if let Err(error) = self.listen_over(pubsub, &mut requests, is_first).await {
                        tracing::warn!(%error, "Redis is no longer heard");
                    }
                    is_first = false;
                }
                Ok(Err(error)) => tracing::warn!(%error, "Redis can't be heard"),
                Err(_) => tracing::warn!("Redis did not answer in time"),
            }
            self.is_connected.store(false, Ordering::Release);
            self.metrics.set_connected(false);
            // Who waits is let in; what is missed is read from the store when Redis is back.
            while let Ok(request) = requests.try_recv() {
                if let Subscription::Add(_, done) = request {
                    _ = done.send(());
                }
            }
            if let Some(source) = self.sequencer.source() {
                source.refresh().await;
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF[1]);
        }
    }

    /// Hears what other nodes tell over a connection, until that ends.
    async fn listen_over(
        &self,
        pubsub: PubSub,
        requests: &mut mpsc::UnboundedReceiver<Subscription>,
        is_first: bool,
    ) -> redis::RedisResult<()> {
        let (mut sink, mut stream) = pubsub.split();
        let mut channels = vec![all_channel()];
        channels.extend(self.sequencer.users().iter().map(user_channel));
        for channels in channels.chunks(1000) {
            sink.subscribe(channels).await?;
        }
        self.is_connected.store(true, Ordering::Release);
        self.metrics.set_connected(true);
        tracing::info!(node = %self.node, channels = channels.len(), "Redis is heard");
        if !is_first {
            if let Some(source) = self.sequencer.source() {
                source.refresh().await;
            }
            let sequencer = Arc::clone(&self.sequencer);
            tokio::spawn(async move { sequencer.heal_all().await });
        }
        let mut heard = Heard::default();
        let mut nodes: HashMap<String, Instant> = HashMap::new();
        let mut check = tokio::time::interval(HEARTBEAT);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else { return Ok(()) };
                    last = Instant::now();
                    self.hear(message.get_payload_bytes(), &mut heard, &mut nodes);
                }
                request = requests.recv() => {
                    let Some(request) = request else { return Ok(()) };
                    self.change_subscriptions(&mut sink, request, requests).await?;
                }
                _ = check.tick() => {
                    // Its own heartbeat comes back by the same way.
                    if last.elapsed() > SILENCE {
                        tracing::warn!("nothing was heard from Redis, not even the own heartbeat");
                        return Ok(());
                    }
                    if nodes.extract_if(|_, seen| seen.elapsed() > SILENCE).count() > 0 {
                        tracing::warn!("a node is gone: what it did not tell is read from the store");
                        let sequencer = Arc::clone(&self.sequencer);
                        tokio::spawn(async move { sequencer.heal_all().await });
                    }
                }
            }
        }
    }

    /// Listens to the channels that are asked for, many at once, and no longer to those that are given up.
    async fn change_subscriptions(
        &self,
        sink: &mut PubSubSink,
        first: Subscription,
        requests: &mut mpsc::UnboundedReceiver<Subscription>,
    ) -> redis::RedisResult<()> {
        let (mut added, mut removed, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Subscription::Add(user, done) => {
                    added.push(user_channel(&user));
                    waiting.push(done);
                }
                Subscription::Remove(user) => {
                    let channel = user_channel(&user);
                    added.retain(|other| *other != channel);
                    removed.push(channel);
                }
            }
            next = if added.len() + removed.len() < 1000 { requests.try_recv().ok() } else { None };
        }
        if !removed.is_empty() {
            sink.unsubscribe(&removed).await?;
        }
        if !added.is_empty() {
            sink.subscribe(&added).await?;
        }
        for done in waiting {
            // Who has stopped waiting does not want to know.
            _ = done.send(());
        }
        Ok(())
    }

    fn hear(&self, payload: &[u8], heard: &mut Heard, nodes: &mut HashMap<String, Instant>) {
        let envelope: Envelope<'_> = match serde_json::from_slice(payload) {
            Ok(envelope) => envelope,
            Err(error) => return tracing::warn!(%error, "a node tells what is not understood"),
        };
        if *envelope.node == *self.node || !heard.is_new(&envelope.node, envelope.number) {
            return;
        }
        self.metrics.received();
        match nodes.get_mut(&*envelope.node) {
            Some(seen) => *seen = Instant::now(),
            None => _ = nodes.insert(envelope.node.to_string(), Instant::now()),
        }
        let notice = match envelope.news {
            News::Message { conversation, seq, positions, sender, json, notification } => {
                let message = MessageNotice {
                    conversation: conversation.conversation(),
                    seq,
                    positions,
                    sender,
                    json: json.get().into(),
                    notification: notification.get().into(),
                };
                return self.sequencer.message(message, None);
            }
            News::End { conversation, seq } => return self.sequencer.end(&conversation.conversation(), seq),
            News::Alive => return,
            News::Goodbye => {
                nodes.remove(&*envelope.node);
                return;
            }
            News::Event { name, argument, conversation, users } => Notice::Event {
                name: name.into_owned().into(),
                argument: argument.get().to_owned(),
                conversation: conversation.map(super::wire::Place::conversation),
                users,
                except: None,
            },
            News::TokensRevoked { user, not_before } => {
                Notice::TokensRevoked { user, not_before: crate::timestamp::Timestamp(not_before) }
            }
            News::UnreadChanged { user, conversation } => {
                Notice::UnreadChanged { user, conversation: conversation.conversation() }
            }
            News::BlocksChanged { users } => Notice::BlocksChanged { users },
            News::ProfileChanged { user } => Notice::ProfileChanged { user },
        };
        if let Some(source) = self.sequencer.source() {
            source.heard(&notice);
        }
        self.hub.tell(&notice);
    }

    /// Renews what is said of presence, and gives up the channels of users who are gone.
    async fn look_after(self: Arc<Self>) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut renewal = tokio::time::interval(PRESENCE_RENEWAL);
        loop {
            tokio::select! {
                _ = sweep.tick() => {
                    for user in self.sequencer.sweep() {
                        // The listener is there for as long as the bus is.
                        drop(self.subscriptions.send(Subscription::Remove(user)));
                    }
                }
                _ = renewal.tick() => {
                    let here: Vec<Id> =
                        self.sequencer.users().into_iter().filter(|user| self.hub.has_device(user)).collect();
                    for users in here.chunks(PIPELINE) {
                        drop(self.set_present(users, true).await);
                    }
                }
            }
        }
    }

    /// Runs a script for each user; `None` if Redis does not answer.
    async fn ask(&self, script: &str, users: &[Id], arguments: &[&str]) -> Option<Vec<bool>> {
        let mut connection = self.questions.lock().clone()?;
        let mut pipeline = redis::pipe();
        for user in users {
            let command = pipeline.cmd("EVAL").arg(script).arg(1).arg(format!("{PREFIX}present:{user}"));
            for argument in arguments {
                command.arg(argument);
            }
        }
        match timeout(RESPONSE, pipeline.query_async(&mut connection)).await {
            Ok(Ok(answers)) => Some(answers),
            Ok(Err(error)) => {
                tracing::warn!(%error, "Redis did not answer who is there");
                None
            }
            Err(_) => None,
        }
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn message(&self, message: MessageNotice, told: Told) {
        let outgoing = message.clone();
        self.sequencer.message(message, Some(told));
        let Some(news) = News::message(&outgoing) else { return };
        let place = (Arc::clone(&outgoing.conversation), outgoing.seq);
        self.send(channels_of(&outgoing.conversation.participants), news, Some(place));
    }

    fn recheck(&self, conversation: &Arc<Conversation>) {
        self.sequencer.end(conversation, i64::MAX);
        let news = News::End { conversation: (&**conversation).into(), seq: i64::MAX };
        self.send(channels_of(&conversation.participants), news, Some((Arc::clone(conversation), i64::MAX)));
    }

    fn has_other_nodes(&self) -> bool {
        true
    }

    fn tell_here(&self, notice: &Notice) {
        self.hub.tell(notice);
    }

    fn publish(&self, notice: Notice) {
        self.hub.tell(&notice);
        let channels = match &notice {
            Notice::Event { conversation, users, .. } => {
                let mut all: Vec<&Id> = users.iter().collect();
                if let Some(conversation) = conversation {
                    all.extend(conversation.participants.iter().filter(|user| !users.contains(user)));
                }
                channels_of(all)
            }
            Notice::UnreadChanged { user, .. } => vec![user_channel(user)],
            _ => vec![all_channel()],
        };
        if let Some(news) = News::notice(&notice) {
            self.send(channels, news, None);
        }
    }

    fn has_device(&self, user: &Id) -> bool {
        self.hub.has_device(user)
    }

    fn attach(&self, user: &Id) -> Option<Attaching> {
        let is_followed = self.sequencer.claim(user);
        let claim = Claim { sequencer: Arc::clone(&self.sequencer), user: user.clone() };
        let subscriptions = self.subscriptions.clone();
        Some(Box::pin(async move {
            if !is_followed {
                let (done, added) = oneshot::channel();
                // Without a listener, or while Redis is away, nobody is kept waiting.
                drop(subscriptions.send(Subscription::Add(claim.user.clone(), done)));
                drop(timeout(RESPONSE, added).await);
                claim.sequencer.follow(&claim.user).await;
            }
            Attached(Box::new(claim))
        }))
    }

    async fn set_present(&self, users: &[Id], are_present: bool) -> Vec<bool> {
        let seconds = PRESENCE_SECONDS.to_string();
        let arguments = [self.node.as_str(), if are_present { "1" } else { "0" }, &seconds];
        // While Redis is away each node speaks for itself.
        self.ask(PRESENCE, users, &arguments).await.unwrap_or_else(|| vec![true; users.len()])
    }

    async fn present_elsewhere(&self, users: &[Id]) -> Vec<bool> {
        if users.is_empty() {
            return Vec::new();
        }
        self.ask(ELSEWHERE, users, &[&self.node]).await.unwrap_or_else(|| vec![false; users.len()])
    }

    async fn close(&self) {
        let connection = self.questions.lock().clone();
        if let Some(mut connection) = connection {
            let goodbye = self.to_all(News::Goodbye);
            let mut command = redis::cmd("PUBLISH");
            let told =
                command.arg(&goodbye.channels[0]).arg(&goodbye.payload).query_async::<()>(&mut connection);
            if !matches!(timeout(RESPONSE, told).await, Ok(Ok(()))) {
                tracing::warn!("Redis was not told goodbye");
            }
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
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

/// What was heard lately.
#[derive(Default)]
struct Heard {
    known: HashSet<(u64, u64)>,
    order: VecDeque<(u64, u64)>,
}

impl Heard {
    fn is_new(&mut self, node: &str, number: u64) -> bool {
        let key = (u64::from_str_radix(node, 16).unwrap_or(0), number);
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > HEARD
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

fn user_channel(user: &Id) -> String {
    format!("{PREFIX}user:{user}")
}

/// The channel that every node hears.
fn all_channel() -> String {
    format!("{PREFIX}all")
}

fn channels_of<'a>(users: impl IntoIterator<Item = &'a Id>) -> Vec<String> {
    users.into_iter().map(user_channel).collect()
}
