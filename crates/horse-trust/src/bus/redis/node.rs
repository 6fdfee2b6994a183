//! What the parts of the bus share: the state of this node, and how it publishes and queries.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::limits::RESPONSE;
use super::link::{Link, Server};
use super::moved::Moved;
use super::names::all_channel;
use super::queue;
use crate::bus::api::SocketTransfer;
use crate::bus::hub::Hub;
use crate::bus::presence_filter::PresenceFilter;
use crate::bus::sequencer::Sequencer;
use crate::bus::wire::{Envelope, WireEvent};
use crate::id::Id;
use crate::metrics::BusMetrics;

/// The bus of a server with other nodes.
pub struct RedisBus {
    pub(super) hub: Arc<Hub>,
    pub(super) sequencer: Arc<Sequencer>,
    pub(super) server: Server,
    /// The name of this node.
    pub(super) node: String,
    pub(super) next_number: AtomicU64,
    pub(super) outgoing: queue::Sender<Outgoing>,
    /// Published when nothing of `outgoing` waits.
    pub(super) low_priority: mpsc::Sender<Outgoing>,
    pub(super) channel_requests: mpsc::UnboundedSender<ChannelRequest>,
    /// Whether events of other nodes arrive.
    pub(super) is_connected: AtomicBool,
    /// Whether events of this node may be lost to the others, which they do not know yet.
    pub(super) has_lost_events: AtomicBool,
    /// Notified when events of other nodes may be lost to this one.
    pub(super) has_gap: Notify,
    /// Sockets that were requested of other nodes, by the number of the request.
    pub(super) socket_requests: Mutex<HashMap<u64, oneshot::Sender<Option<Box<SocketTransfer>>>>>,
    /// Sockets that other nodes have got.
    pub(super) moved: Mutex<Moved>,
    /// Which presence the sockets of this node were notified of.
    pub(super) presence: Mutex<PresenceFilter>,
    /// The nodes whose lease has run out.
    pub(super) dead_nodes: Mutex<HashSet<String>>,
    /// Usage of quotas that Redis does not know yet, in microseconds by user.
    pub(super) usage: Mutex<HashMap<(&'static str, Id), u64>>,
    pub(super) has_usage: Notify,
    /// Held while the presence of users is written, so that the last state written is current.
    pub(super) presence_turn: tokio::sync::Mutex<()>,
    /// Whether Redis may not know who is present here.
    pub(super) must_announce: AtomicBool,
    /// The connection for commands; `None` while there is none.
    pub(super) link: Mutex<Option<Link>>,
    pub(super) tasks: Mutex<JoinSet<()>>,
    pub(super) metrics: Arc<BusMetrics>,
}

/// An event on its way to Redis.
pub(super) struct Outgoing {
    pub(super) channels: Vec<String>,
    pub(super) payload: String,
}

impl queue::Weight for Outgoing {
    fn bytes(&self) -> usize {
        self.payload.len() + self.channels.iter().map(String::len).sum::<usize>()
    }
}

/// A change of the channels that this node is subscribed to.
pub(super) enum ChannelRequest {
    /// Subscribe to a user's channel, and say when that is done.
    Add(Id, oneshot::Sender<()>),
    Remove(Id),
}

impl RedisBus {
    /// An event of this node as JSON.
    pub(super) fn envelope(&self, event: WireEvent<'_>) -> String {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let envelope = Envelope { node: self.node.as_str().into(), number, event };
        serde_json::to_string(&envelope).expect("texts, numbers and JSON always serialize")
    }

    /// Queues an event for publication; if the queue is full, the other nodes will learn that events are lost.
    pub(super) fn send(&self, channels: Vec<String>, event: WireEvent<'_>) {
        if self.outgoing.try_send(Outgoing { channels, payload: self.envelope(event) }).is_err() {
            self.has_lost_events.store(true, Ordering::Release);
        }
    }

    /// An event for all nodes.
    pub(super) fn to_all(&self, event: WireEvent<'_>) -> Outgoing {
        Outgoing { channels: vec![all_channel()], payload: self.envelope(event) }
    }

    /// Runs commands; `None` if Redis does not answer.
    pub(super) async fn query<T: redis::FromRedisValue>(&self, pipeline: &redis::Pipeline) -> Option<T> {
        let link = self.link.lock().clone()?;
        match timeout(RESPONSE, link.query(pipeline)).await {
            Ok(Ok(answers)) => Some(answers),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a command to Redis failed");
                None
            }
            Err(_) => {
                tracing::warn!("Redis did not answer a command in time");
                None
            }
        }
    }
}
