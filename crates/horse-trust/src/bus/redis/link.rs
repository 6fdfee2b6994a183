//! The connections to Redis: to one, or to each shard of a Redis Cluster.
//!
//! A link fails as a whole when one of its connections fails or a cluster's slots have moved. Then a new one is opened,
//! and what may be lost is read from the store. So there is one way of recovery from every failure.

use std::collections::HashMap;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{
    ConnectionInfo, FromRedisValue, IntoConnectionInfo, Msg, Pipeline, ProtocolVersion, PushInfo, PushKind,
    RedisError, RedisResult, Value,
};

use super::cluster::Cluster;
use super::connect::{self, Settings, config, failure, open};
use super::names::PREFIX;
use super::queue;

/// The channel with which permissions are tested at the start.
const PROBE: &str = "horse-trust:probe";
/// How many channels one round trip subscribes to.
const SUBSCRIPTIONS: usize = 1000;
/// How many bytes of pushes may wait to be handled. Beyond, the link fails, and what is lost is read from the store.
const PUSHES: usize = 32 * 1024 * 1024;

/// Where Redis is.
pub(super) struct Server {
    /// As `REDIS_URL` says; more than one for a cluster alone.
    urls: Vec<ConnectionInfo>,
    is_cluster: bool,
    /// The shards as they were last.
    shards: Mutex<Vec<ConnectionInfo>>,
}

impl Server {
    /// The Redis at `urls`, or the cluster that some of them belong to, with commas between them.
    pub(super) fn new(urls: &str, is_cluster: bool) -> RedisResult<Self> {
        let urls = if is_cluster { urls.split(',').map(str::trim).collect() } else { vec![urls] };
        let urls = urls.into_iter().map(IntoConnectionInfo::into_connection_info);
        Ok(Self { urls: urls.collect::<RedisResult<_>>()?, is_cluster, shards: Mutex::default() })
    }

    /// Checks that Redis is what the settings say, and that this node may publish and subscribe.
    pub(super) async fn check(&self) -> RedisResult<()> {
        let link = self.connect().await?;
        let mut info = redis::pipe();
        info.cmd("CLUSTER").arg("INFO");
        // Most have no such command when they are no cluster, or do not let everybody use it.
        if !self.is_cluster && link.query::<Value>(&info).await.is_ok() {
            return Err(failure("this is a Redis Cluster: set REDIS_CLUSTER=true".to_owned()));
        }
        let mut probe = redis::pipe();
        probe.cmd(self.publish()).arg(PROBE).arg("").ignore();
        link.query::<()>(&probe).await.map_err(|error| self.explain(self.publish(), &error))?;
        let listener = self.listen().await?;
        listener
            .subscribe(&[PROBE.to_owned()])
            .await
            .map_err(|error| self.explain(listener.subscribe_command(), &error))
    }

    fn explain(&self, command: &str, error: &RedisError) -> RedisError {
        let needed =
            if self.is_cluster { "; a cluster of version 7 or later has it, or one of Valkey" } else { "" };
        failure(format!("{command} {PREFIX}…: {error}{needed}"))
    }

    /// Connects, for commands.
    pub(super) async fn connect(&self) -> RedisResult<Link> {
        self.open(&|info| (info.clone(), config())).await
    }

    /// Connects, to subscribe.
    pub(super) async fn listen(&self) -> RedisResult<Listener> {
        let (sender, pushes) = queue::queue::<PushInfo>(PUSHES);
        let settings = |info: &ConnectionInfo| {
            let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            (info.clone().set_redis_settings(redis), config().set_push_sender(taking(sender.clone())))
        };
        let link = self.open(&settings).await?;
        Ok(Listener { link, pushes, leaving: HashMap::new(), is_sharded: self.is_cluster })
    }

    async fn open(&self, settings: &Settings<'_>) -> RedisResult<Link> {
        if !self.is_cluster {
            return Ok(Link::One(open(&self.urls[0], settings).await?));
        }
        // The last known shards know best; when all of them have moved, the settings help.
        let known = [self.shards.lock().clone(), self.urls.clone()].concat();
        let cluster = Cluster::find(&known, settings).await?;
        *self.shards.lock() = cluster.addresses();
        Ok(Link::Cluster(cluster))
    }

    /// The command that publishes to a channel.
    pub(super) fn publish(&self) -> &'static str {
        if self.is_cluster { "SPUBLISH" } else { "PUBLISH" }
    }
}

/// Checks, without starting, that the Redis at `urls` is what the settings say, and lets this node publish and subscribe.
pub async fn check(urls: &str, is_cluster: bool) -> Result<(), super::RedisError> {
    let failed = |error: RedisError| super::RedisError(error.to_string());
    Server::new(urls, is_cluster).map_err(failed)?.check().await.map_err(failed)
}

/// Connections for commands; clones share them.
#[derive(Clone)]
pub(super) enum Link {
    One(MultiplexedConnection),
    Cluster(Cluster),
}

impl Link {
    /// Runs the commands of `pipeline`, each of which has one key. In a cluster, the shards run theirs at the same time. An
    /// error of one command is an error of all.
    pub(super) async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> RedisResult<T> {
        match self {
            Self::One(connection) => pipeline.query_async(&mut connection.clone()).await,
            Self::Cluster(cluster) => pipeline.query_async(&mut cluster.clone()).await,
        }
    }

    /// Fails if a shard does not answer, or no longer has the slots that it had: a shard that was replaced accepts events
    /// that reach no subscriber.
    pub(super) async fn check(&self) -> RedisResult<()> {
        match self {
            Self::One(_) => Ok(()),
            Self::Cluster(cluster) => cluster.check().await,
        }
    }
}

/// Connections that are subscribed to channels.
pub(super) struct Listener {
    link: Link,
    pushes: queue::Receiver<PushInfo>,
    /// For channels that were unsubscribed, how many confirmations have yet to arrive.
    leaving: HashMap<Vec<u8>, usize>,
    is_sharded: bool,
}

impl Listener {
    /// Subscribes to these channels.
    pub(super) async fn subscribe(&self, channels: &[String]) -> RedisResult<()> {
        self.each(self.subscribe_command(), channels).await
    }

    fn subscribe_command(&self) -> &'static str {
        if self.is_sharded { "SSUBSCRIBE" } else { "SUBSCRIBE" }
    }

    /// Unsubscribes from these channels.
    pub(super) async fn unsubscribe(&mut self, channels: &[String]) {
        for channel in channels {
            *self.leaving.entry(channel.clone().into_bytes()).or_default() += 1;
        }
        let command = if self.is_sharded { "SUNSUBSCRIBE" } else { "UNSUBSCRIBE" };
        if let Err(error) = self.each(command, channels).await {
            // Events that arrive nevertheless have no receiver here. `next` notices a connection that has ended.
            tracing::warn!(%error, "unsubscribing from channels failed");
        }
    }

    async fn each(&self, command: &str, channels: &[String]) -> RedisResult<()> {
        for channels in channels.chunks(SUBSCRIPTIONS) {
            let mut pipeline = redis::pipe();
            for channel in channels {
                pipeline.cmd(command).arg(channel).ignore();
            }
            self.link.query::<()>(&pipeline).await?;
        }
        Ok(())
    }

    /// The next event. Fails when a connection has ended, or a channel's slot has left its shard.
    pub(super) async fn next(&mut self) -> RedisResult<Msg> {
        loop {
            let Some(push) = self.pushes.recv().await else { return Err(ended()) };
            if self.pushes.has_overflowed() {
                return Err(failure("events arrived faster than they were handled".to_owned()));
            }
            match push.kind {
                PushKind::Disconnection => return Err(ended()),
                PushKind::SUnsubscribe | PushKind::Unsubscribe => self.left(&push)?,
                _ => {
                    if let Some(message) = Msg::from_push_info(push) {
                        return Ok(message);
                    }
                }
            }
        }
    }

    /// A channel is unsubscribed; fails if this node did not ask for that.
    fn left(&mut self, push: &PushInfo) -> RedisResult<()> {
        let channel: Vec<u8> = push.data.first().map_or(Ok(Vec::new()), connect::decode)?;
        let Some(count) = self.leaving.get_mut(&channel) else {
            let channel = String::from_utf8_lossy(&channel);
            return Err(failure(format!("{channel} is no longer subscribed: its slot has moved")));
        };
        *count -= 1;
        if *count == 0 {
            self.leaving.remove(&channel);
        }
        Ok(())
    }

    /// As [`Link::check`].
    pub(super) async fn check(&self) -> RedisResult<()> {
        self.link.check().await
    }
}

/// Puts pushes for [`Listener::next`] into `pushes`. It leaves out confirmations of subscriptions: after a reconnect there is
/// one for each user, and nothing is taken from the queue before the last has arrived.
fn taking(pushes: queue::Sender<PushInfo>) -> impl Fn(PushInfo) -> Result<(), queue::Full> {
    move |push| match push.kind {
        PushKind::Subscribe | PushKind::SSubscribe => Ok(()),
        _ => pushes.try_send(push),
    }
}

impl queue::Weight for PushInfo {
    fn bytes(&self) -> usize {
        let length = |value: &Value| match value {
            Value::BulkString(bytes) => bytes.len(),
            Value::SimpleString(text) => text.len(),
            _ => 0,
        };
        self.data.iter().map(|value| size_of::<Value>() + length(value)).sum()
    }
}

fn ended() -> redis::RedisError {
    failure("the connection has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(kind: PushKind) -> PushInfo {
        PushInfo { kind, data: vec![Value::BulkString(vec![0; 1000]), Value::BulkString(vec![0; 1000])] }
    }

    #[test]
    fn pushes_are_bounded_and_confirmations_take_no_room() {
        let (sender, pushes) = queue::queue(10_000);
        let take = taking(sender);
        for _ in 0..100 {
            assert!(take(push(PushKind::Subscribe)).is_ok() && take(push(PushKind::SSubscribe)).is_ok());
        }
        assert!(pushes.is_empty());
        let taken = (0..100).take_while(|_| take(push(PushKind::Message)).is_ok()).count();
        assert!((3..=4).contains(&taken) && pushes.has_overflowed(), "{taken}");
    }
}
