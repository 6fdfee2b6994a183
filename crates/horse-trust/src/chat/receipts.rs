//! Notifies senders that a message has reached a device, and users of their unread counts.

use std::sync::Arc;
use std::time::Duration;

use super::receipt_queue::{DeliveredReceipt, UnreadUpdate};
use super::service::Chat;
use super::view;
use crate::bus::BusEvent;
use crate::contract::{MessageDelivered, ServerEvent};
use crate::id::Id;
use crate::store::{Conversation, Delivered, StoreError, Unread};
use crate::timestamp::Timestamp;

/// How often it is stored what has reached a device. What a crash loses is stored with the next message.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

impl Chat {
    /// The message `seq` of `sender` was delivered on this node: it has reached each recipient who has a device here.
    pub(super) fn note_delivered(&self, conversation: &Arc<Conversation>, sender: &Id, seq: i64) {
        for (side, recipient) in conversation.recipients_of(sender) {
            if !self.bus.has_device(recipient) {
                continue;
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
            let receipt = DeliveredReceipt { conversation: Arc::clone(conversation), side, seq };
            self.receipts.delivered.offer(key, receipt);
        }
    }

    /// A message of `sender` was stored or deleted: what its one recipient has not read then, if that changed. Of a message of
    /// the platform each of the two is notified of a count that is read anew.
    pub(super) fn note_unread_of(
        &self,
        conversation: &Arc<Conversation>,
        sender: &Id,
        unread: Option<Unread>,
    ) {
        let is_of_platform = *sender == Id::SYSTEM;
        if unread.is_some() || is_of_platform {
            for (_, recipient) in conversation.recipients_of(sender) {
                self.note_unread(recipient, conversation, unread);
            }
        }
    }

    /// The unread count of `user` has changed; it is read anew if it is not given.
    pub(super) fn note_unread(&self, user: &Id, conversation: &Arc<Conversation>, unread: Option<Unread>) {
        if self.bus.has_other_nodes() {
            let event =
                BusEvent::UnreadChanged { user: user.clone(), conversation: Arc::clone(conversation) };
            self.bus.publish(event);
            return self.unread_changed(user, conversation);
        }
        let update = UnreadUpdate { conversation: conversation.id.clone(), unread };
        self.receipts.unread.offer((user.clone(), conversation.key), update);
    }

    /// As [`Chat::note_unread`], on whatever node: the count is read anew before the user's devices here receive it.
    pub(super) fn unread_changed(&self, user: &Id, conversation: &Conversation) {
        if self.bus.has_device(user) {
            let update = UnreadUpdate { conversation: conversation.id.clone(), unread: None };
            self.receipts.unread.offer((user.clone(), conversation.key), update);
        }
    }

    async fn publish_delivered(self: &Arc<Self>, receipt: &DeliveredReceipt) {
        let DeliveredReceipt { conversation, side, seq } = receipt;
        let [recipient, sender] = [&conversation.participants[*side], &conversation.participants[1 - side]];
        match self.blocks(recipient, conversation).get().await {
            Ok(blocks) if !blocks.any() => {}
            Ok(_) => return,
            Err(error) => return tracing::warn!(%error, "a sender was not notified of a delivery"),
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
                Err(error) => return tracing::warn!(%error, "a user was not notified of an unread count"),
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

    /// Notifies senders of deliveries, as long as it runs.
    pub(super) async fn notify_delivered(self: Arc<Self>) {
        loop {
            for (_, receipt) in self.receipts.delivered.due().await {
                self.publish_delivered(&receipt).await;
            }
        }
    }

    /// Notifies users of their unread counts, as long as it runs.
    pub(super) async fn notify_unread(self: Arc<Self>) {
        loop {
            for (key, update) in self.receipts.unread.due().await {
                self.publish_unread(&key, &update).await;
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
