//! Messages: new, stored and changed, and parts of a history.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::conversations::Conversation;
use super::delivery::Unread;
use super::page::Page;
use crate::contract::Custom;
use crate::id::Id;
use crate::json;
use crate::timestamp::Timestamp;

/// The optional parts of a message that the store keeps without looking into them: one column, as JSON, in either engine.
/// A message without any has none of these, so it costs neither a byte nor an allocation. A node of an earlier version
/// ignores the fields that it does not know. Deleting a message deletes them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageExtras {
    /// What the platform keeps with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
}

impl MessageExtras {
    /// The extras, unless there are none.
    pub fn if_any(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// As they are stored.
    pub(in crate::store) fn to_json(&self) -> String {
        json::encode(self)
    }

    /// What [`MessageExtras::to_json`] gave.
    pub(in crate::store) fn from_json(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// How many bytes they hold.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.custom.as_ref().map_or(0, |custom| custom.as_str().len())
    }
}

/// A message to store. Id, sequence number and time are given by the store, in the order of commits.
#[derive(Debug)]
pub struct NewMessage {
    /// Its conversation.
    pub conversation: Arc<Conversation>,
    /// Its sender, one of the participants or [`Id::SYSTEM`].
    pub sender: Id,
    /// Its text, already validated.
    pub text: String,
    /// Its idempotency key, chosen by the sender's client. A sender's key is stored once.
    pub client_id: Option<String>,
    /// The message of the same conversation that it replies to. Its sequence number is stored, no copy of its text.
    pub reply_to: Option<Quote>,
    /// Its other optional parts.
    pub extras: Option<Box<MessageExtras>>,
}

impl NewMessage {
    /// A message without optional fields, so that callers name only those that they set.
    pub fn new(conversation: &Arc<Conversation>, sender: Id, text: impl Into<String>) -> Self {
        Self {
            conversation: Arc::clone(conversation),
            sender,
            text: text.into(),
            client_id: None,
            reply_to: None,
            extras: None,
        }
    }

    /// How many bytes its texts and extras hold.
    pub(in crate::store) fn bytes(&self) -> usize {
        let key = self.client_id.as_ref().map_or(0, String::len);
        let quote = self.reply_to.as_ref().map_or(0, |quote| quote.text.len());
        let extras = self.extras.as_ref().map_or(0, |extras| extras.bytes());
        self.text.len() + key + quote + extras
    }

    /// The message as it is stored.
    pub(in crate::store) fn stored_as(&self, id: Id, seq: i64, sent_at: Timestamp) -> Message {
        Message {
            id,
            seq,
            sender: self.sender.clone(),
            text: self.text.clone(),
            is_read: false,
            sent_at,
            client_id: self.client_id.clone(),
            reply_to: self.reply_to.clone(),
            extras: self.extras.clone(),
            edited_at: None,
            deleted_at: None,
        }
    }
}

/// What a reply shows of the message that it replies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Its id.
    pub id: Id,
    /// Its sequence number in the conversation.
    pub seq: i64,
    /// Its sender.
    pub sender: Id,
    /// Its text; empty once it is deleted.
    pub text: String,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id. Ids made by a store ascend in the order of commits.
    pub id: Id,
    /// Its sequence number in the conversation: 1, 2, 3 … without holes.
    pub seq: i64,
    /// Its sender.
    pub sender: Id,
    /// Its text; empty once it is deleted.
    pub text: String,
    /// Whether its recipient has read it; of a message of the platform, whether both have.
    pub is_read: bool,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// Its idempotency key.
    pub client_id: Option<String>,
    /// The message that it replies to, as it is at the time of reading.
    pub reply_to: Option<Quote>,
    /// Its other optional parts; `None` once it is deleted.
    pub extras: Option<Box<MessageExtras>>,
    /// When its text was last edited.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
}

impl Message {
    /// How many bytes its text and extras hold.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.text.len() + self.extras.as_ref().map_or(0, |extras| extras.bytes())
    }

    /// Whether `new`, which has the same sender and `client_id`, is this message of `conversation` sent again. The text
    /// of a message that was edited or deleted is no longer what its sender sent, and is not compared.
    pub(in crate::store) fn is_repeated_by(&self, conversation: &Conversation, new: &NewMessage) -> bool {
        let is_changed = self.edited_at.is_some() || self.deleted_at.is_some();
        conversation.key == new.conversation.key && (is_changed || self.text == new.text)
    }
}

/// The outcome of storing a message.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its conversation; for a repeat, that of the first message.
    pub conversation: Arc<Conversation>,
    /// The message; for a repeat, the first message with that idempotency key.
    pub message: Message,
    /// Whether it is new; a repeat stored nothing.
    pub is_new: bool,
    /// What the recipient has not read, this message included; `None` for a repeat, and for a message of the platform, which
    /// has two recipients.
    pub unread: Option<Unread>,
    /// The position of each participant with this message; `None` from a store of one node.
    pub positions: Option<[i64; 2]>,
}

/// An edit or a deletion of a message.
#[derive(Debug, Clone)]
pub struct Change {
    /// The message's conversation.
    pub conversation: Arc<Conversation>,
    /// The message's sequence number.
    pub seq: i64,
    /// The new text; `None` deletes the message.
    pub text: Option<String>,
    /// For how long after it was sent a message may be changed, by the store's clock; `None` is at any age.
    pub window: Option<Duration>,
    /// The sender is erased: the message is deleted, whatever its age, and nothing is kept of what it says or ever said. Adds no
    /// event to the outbox.
    pub is_erasure: bool,
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The message was changed.
    Done {
        /// The changed message.
        message: Message,
        /// What the recipient has not read, if that changed; `None` for a message of the platform, which has two recipients.
        unread: Option<Unread>,
    },
    /// The message was deleted before.
    Gone(Message),
    /// The message was sent longer ago than the window, or is dated ahead of the store's clock.
    TooLate,
}

/// A part of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// A page, without deleted messages.
    Page(Page),
    /// The first messages after this sequence number, deleted ones included: number and limit.
    After(i64, u64),
    /// The last messages before this sequence number, deleted ones included: number and limit.
    Before(i64, u64),
}

/// A part of a history, oldest first.
#[derive(Debug, Clone)]
pub struct History {
    /// The messages.
    pub messages: Vec<Message>,
    /// The sequence number of the conversation's last message at that moment.
    pub last_seq: i64,
    /// How many messages each participant has not read.
    pub unread: [u64; 2],
}
