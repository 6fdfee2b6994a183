//! What is told of messages afterwards: that they have reached a device, and how much is not read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::coalescer::Coalescer;
use super::{Chat, view};
use crate::bus::BusEvent;
use crate::contract::{MessageDelivered, ServerEvent};
use crate::id::Id;
use crate::store::{Conversation, Delivered, StoreError, Unread};
use crate::timestamp::Timestamp;

/// How often it is stored what has reached a device. What a crash takes comes again with the next message.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// One of the two in a conversation, by the store's key.
type Side = (i64, usize);

/// Receipts on their way.
pub(super) struct Receipts {
    delivered: Coalescer<Side, DeliveredReceipt>,
    unread: Coalescer<(Id, i64), UnreadUpdate>,
    /// What has reached a device and is not stored.
    unstored: Mutex<HashMap<Side, i64>>,
    filled: Notify,
}

struct DeliveredReceipt {
    conversation: Arc<Conversation>,
    side: usize,
    seq: i64,
}

struct UnreadUpdate {
    conversation: Id,
    /// `None` if it has to be looked up, as other nodes change it, too.
    unread: Option<Unread>,
}

impl Receipts {
    pub(super) fn new() -> Self {
        Self {
            delivered: Coalescer::new(),
            unread: Coalescer::new(),
            unstored: Mutex::default(),
            filled: Notify::new(),
        }
    }
}

impl Chat {
    /// The message `seq` of `sender` was handed to the devices of this node: if one is the other's, it has arrived.
    pub(super) fn note_delivered(&self, conversation: &Arc<Conversation>, sender: &Id, seq: i64) {
        let Some(side) = conversation.side_of(sender).map(|side| 1 - side) else { return };
        if !self.bus.has_device(&conversation.participants[side]) {
            return;
        }
        let key = (conversation.key, side);
        {
            let mut unstored = self.receipts.unstored.lock();
            if unstored.is_empty() {
                self.receipts.filled.notify_one();
            }
            let known = unstored.entry(key).or_default();
            *known = (*known).max(seq);
        }
        let event = DeliveredReceipt { conversation: Arc::clone(conversation), side, seq };
        self.receipts.delivered.offer(key, event);
    }

    /// What `user` has not read has changed.
    pub(super) fn note_unread(&self, user: &Id, conversation: &Arc<Conversation>, unread: Unread) {
        if self.bus.has_other_nodes() {
            let (told, place) = (user.clone(), Arc::clone(conversation));
            self.bus.publish(BusEvent::UnreadChanged { user: told, conversation: place });
            return self.unread_changed(user, conversation);
        }
        let event = UnreadUpdate { conversation: conversation.id.clone(), unread: Some(unread) };
        self.receipts.unread.offer((user.clone(), conversation.key), event);
    }

    /// As [`Chat::note_unread`], by whatever node: the user's devices here are told what it then is.
    pub(super) fn unread_changed(&self, user: &Id, conversation: &Conversation) {
        if self.bus.has_device(user) {
            let event = UnreadUpdate { conversation: conversation.id.clone(), unread: None };
            self.receipts.unread.offer((user.clone(), conversation.key), event);
        }
    }

    async fn publish_delivered(&self, event: &DeliveredReceipt) {
        let DeliveredReceipt { conversation, side, seq } = event;
        let [recipient, sender] = [&conversation.participants[*side], &conversation.participants[1 - side]];
        let blocks = match self.blocks_at_once(recipient, conversation) {
            Some(blocks) => Ok(blocks),
            None => self.blocks(recipient, conversation).await,
        };
        match blocks {
            Ok(blocks) if !blocks.any() => {}
            Ok(_) => return,
            Err(error) => return tracing::warn!(%error, "what has reached a user was not told"),
        }
        let event = ServerEvent::MessageDelivered(MessageDelivered {
            conversation_id: &conversation.id,
            recipient,
            up_to_seq: *seq,
            delivered_at: Timestamp::now(),
        });
        self.bus.publish(BusEvent::Emit {
            name: event.name().into(),
            argument: event.argument(),
            conversation: Some(Arc::clone(conversation)),
            users: vec![sender.clone()],
            except: None,
        });
    }

    async fn publish_unread(&self, (user, key): &(Id, i64), update: &UnreadUpdate) {
        let unread = match update.unread {
            Some(unread) => unread,
            None => match self.look_up_unread(user, *key).await {
                Ok(unread) => unread,
                Err(error) => return tracing::warn!(%error, "what a user has not read was not told"),
            },
        };
        let event = ServerEvent::UnreadCount(view::unread_count(&update.conversation, unread));
        self.bus.publish_locally(&BusEvent::Emit {
            name: event.name().into(),
            argument: event.argument(),
            conversation: None,
            users: vec![user.clone()],
            except: None,
        });
    }

    async fn look_up_unread(&self, user: &Id, key: i64) -> Result<Unread, StoreError> {
        let summary = self.store.conversation_summary(key, user).await?;
        let conversation = summary.map_or(0, |summary| summary.unread_count);
        Ok(Unread { conversation, total: self.store.unread_count(user).await? })
    }

    /// Tells senders what has reached a device, as long as it runs.
    pub(super) async fn notify_delivered(self: Arc<Self>) {
        loop {
            for (_, event) in self.receipts.delivered.due().await {
                self.publish_delivered(&event).await;
            }
        }
    }

    /// Tells users how much they have not read, as long as it runs.
    pub(super) async fn notify_unread(self: Arc<Self>) {
        loop {
            for (key, event) in self.receipts.unread.due().await {
                self.publish_unread(&key, &event).await;
            }
        }
    }

    /// Stores what has reached a device, as long as it runs.
    pub(super) async fn store_delivered(self: Arc<Self>) {
        loop {
            self.receipts.filled.notified().await;
            tokio::time::sleep(STORE_INTERVAL).await;
            self.flush_delivered().await;
        }
    }

    /// Stores what has reached a device.
    pub(super) async fn flush_delivered(&self) {
        let unstored = std::mem::take(&mut *self.receipts.unstored.lock());
        if unstored.is_empty() {
            return;
        }
        let delivered = unstored
            .into_iter()
            .map(|((conversation, side), seq)| Delivered { conversation, side, seq })
            .collect();
        if let Err(error) = self.store.set_delivered(delivered).await {
            tracing::error!(%error, "what has reached a device was not stored");
        }
    }
}
