//! Connects the bus, and publishes to the own sockets first, then to Redis.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::error::RedisError;
use super::limits::{BACKOFF, PIPELINE, QUEUE, RESPONSE};
use super::link::Server;
use super::names::{all_channel, channels_of, user_channel};
use super::node::{ChannelRequest, RedisBus};
use super::node_name::NodeName;
use super::queue;
use crate::bus::api::{Bus, DeliveryWait, Publish, Subscribe, SubscribeFuture, Subscription};
use crate::bus::delegate::Delegate;
use crate::bus::event::{BusEvent, MessageEvent};
use crate::bus::hub::Hub;
use crate::bus::sequencer::Sequencer;
use crate::bus::wire::WireEvent;
use crate::callback::Callback;
use crate::id::Id;
use crate::metrics::BusMetrics;
use crate::store::Conversation;

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
        let (outgoing, waiting) = queue::queue(QUEUE);
        let (low_priority, waiting_low_priority) = mpsc::channel(PIPELINE);
        let (channel_requests, requests) = mpsc::unbounded_channel();
        let bus = Arc::new(Self {
            sequencer: Sequencer::new(Arc::clone(&hub), Arc::clone(&metrics)),
            hub,
            server,
            node: node.0,
            next_number: AtomicU64::new(0),
            outgoing,
            low_priority,
            channel_requests,
            is_connected: AtomicBool::new(false),
            has_lost_events: AtomicBool::new(false),
            has_gap: Notify::new(),
            socket_requests: Mutex::default(),
            moved: Mutex::default(),
            dead_nodes: Mutex::default(),
            presence: Mutex::default(),
            usage: Mutex::default(),
            has_usage: Notify::new(),
            presence_turn: tokio::sync::Mutex::new(()),
            must_announce: AtomicBool::new(true),
            link: Mutex::new(None),
            tasks: Mutex::default(),
            metrics,
        });
        let mut tasks = bus.tasks.lock();
        tasks.spawn(Arc::clone(&bus).publish_queued(waiting, waiting_low_priority));
        tasks.spawn(Arc::clone(&bus).listen(requests));
        tasks.spawn(Arc::clone(&bus).keep_lease());
        tasks.spawn(Arc::clone(&bus).publish_usage());
        drop(tasks);
        Ok(bus)
    }

    /// Fills gaps from `delegate`, and passes on to it what other nodes publish.
    pub fn set_delegate(self: &Arc<Self>, delegate: Weak<dyn Delegate>) {
        self.sequencer.set_delegate(delegate);
        self.tasks.lock().spawn(Arc::clone(self).fill_gaps());
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn close(&self) {
        let published = async {
            while !self.outgoing.is_empty() {
                tokio::time::sleep(BACKOFF[0]).await;
            }
        };
        if timeout(RESPONSE / 2, published).await.is_err() {
            tracing::warn!(
                "events were not published before the end; other nodes read messages from the store"
            );
        }
        // Else one of them would renew the lease.
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        self.end_lease().await;
        let goodbye = self.to_all(WireEvent::Goodbye);
        let mut pipeline = redis::pipe();
        pipeline.cmd(self.server.publish()).arg(all_channel()).arg(&goodbye.payload).ignore();
        if self.query::<()>(&pipeline).await.is_none() {
            tracing::warn!("the other nodes were not notified that this one ends");
        }
    }
}

#[async_trait]
impl Publish for RedisBus {
    fn publish_message(&self, message: MessageEvent, delivered: Callback<()>) {
        let outgoing = message.clone();
        self.sequencer.receive(message, Some(delivered));
        let Some(event) = WireEvent::from_message(&outgoing) else { return };
        self.send(channels_of(&outgoing.conversation.participants), event);
    }

    fn recheck(&self, conversation: &Arc<Conversation>) {
        self.sequencer.recheck(conversation);
        let event = WireEvent::Recheck { conversation: (&**conversation).into() };
        self.send(channels_of(&conversation.participants), event);
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
            BusEvent::UnreadChanged { user, .. } | BusEvent::ConversationChanged { user, .. } => {
                vec![user_channel(user)]
            }
            _ => vec![all_channel()],
        };
        if let Some(event) = WireEvent::from_event(&event) {
            self.send(channels, event);
        }
    }

    fn publish_locally(&self, event: &BusEvent) {
        self.hub.deliver(event);
    }

    async fn wait_until_delivered(&self, user: &Id, position: i64) -> DeliveryWait {
        if self.sequencer.wait_until_delivered(user, position).await {
            DeliveryWait::Done
        } else {
            DeliveryWait::TimedOut
        }
    }
}

impl Subscribe for RedisBus {
    fn has_other_nodes(&self) -> bool {
        true
    }

    fn has_device(&self, user: &Id) -> bool {
        self.hub.has_device(user)
    }

    fn has_socket(&self, user: &Id) -> bool {
        self.hub.has_socket(user)
    }

    fn subscribe(&self, user: &Id) -> Option<SubscribeFuture> {
        let is_known = self.sequencer.add_device(user);
        let device = Device { sequencer: Arc::clone(&self.sequencer), user: user.clone() };
        let channel_requests = self.channel_requests.clone();
        Some(Box::pin(async move {
            if !is_known {
                let (done, added) = oneshot::channel();
                // Without a listener, or while Redis is away, nobody is kept waiting.
                drop(channel_requests.send(ChannelRequest::Add(device.user.clone(), done)));
                drop(timeout(RESPONSE, added).await);
                device.sequencer.start_sequence(&device.user).await;
            }
            Subscription::new(device)
        }))
    }
}

/// A device that the sequencer counts.
struct Device {
    sequencer: Arc<Sequencer>,
    user: Id,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.sequencer.remove_device(&self.user);
    }
}
