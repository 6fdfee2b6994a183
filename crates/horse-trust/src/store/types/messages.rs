//! Messages: to be stored, as stored, changed, and as parts of a history.

use std::sync::Arc;
use std::time::Duration;

use super::conversations::Conversation;
use super::delivery::Unread;
use super::page::Page;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// A message to store. Id, sequence number and time are given by the store, in the order of commits.
#[derive(Debug)]
pub struct NewMessage {
    /// Where it goes.
    pub conversation: Arc<Conversation>,
    /// Who wrote it: one of the participants.
    pub sender: Id,
    /// What was written, already checked.
    pub text: String,
    /// The sender's own name for it: of each sender, a name is stored once.
    pub client_id: Option<String>,
    /// The message of the same conversation that it replies to. Its place is stored, and no copy of its text.
    pub reply_to: Option<Quote>,
}

impl NewMessage {
    /// A message with none of the optional fields: whoever has no use for them need not know them.
    pub fn new(conversation: &Arc<Conversation>, sender: Id, text: impl Into<String>) -> Self {
        Self {
            conversation: Arc::clone(conversation),
            sender,
            text: text.into(),
            client_id: None,
            reply_to: None,
        }
    }

    /// How many bytes its texts have.
    pub(in crate::store) fn text_bytes(&self) -> usize {
        let key = self.client_id.as_ref().map_or(0, String::len);
        let quote = self.reply_to.as_ref().map_or(0, |quote| quote.text.len());
        self.text.len() + key + quote
    }

    /// The message that is stored for it.
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
    /// Its place in the conversation.
    pub seq: i64,
    /// Who wrote it.
    pub sender: Id,
    /// Its text; empty once it is deleted.
    pub text: String,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id; ids made here sort by creation.
    pub id: Id,
    /// Its place in the conversation: 1, 2, 3 … without holes.
    pub seq: i64,
    /// Who wrote it.
    pub sender: Id,
    /// What was written; empty once it is deleted.
    pub text: String,
    /// Whether the other has read it.
    pub is_read: bool,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// The sender's own name for it.
    pub client_id: Option<String>,
    /// The message that it replies to, as that now is.
    pub reply_to: Option<Quote>,
    /// When its text was last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
}

impl Message {
    /// Whether `new`, which has the same sender and `client_id`, is this message of `conversation` sent again. The text
    /// of a message that was edited or deleted is no longer what its sender sent, and is not compared.
    pub(in crate::store) fn is_repeated_by(&self, conversation: &Conversation, new: &NewMessage) -> bool {
        let is_changed = self.edited_at.is_some() || self.deleted_at.is_some();
        conversation.key == new.conversation.key && (is_changed || self.text == new.text)
    }
}

/// What became of a message.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Where it is: that of the first, if it repeats a `client_id`.
    pub conversation: Arc<Conversation>,
    /// The message, or the first one that had its `client_id`.
    pub message: Message,
    /// What the recipient has not read with it; `None` if it is a repeat, and nothing was stored.
    pub unread: Option<Unread>,
    /// Which message it is, counted from 1, of all that each of the two takes part in; from a store that several nodes
    /// may use.
    pub positions: Option<[i64; 2]>,
}

/// A change of a message's text.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where the message is.
    pub conversation: Arc<Conversation>,
    /// Which it is.
    pub seq: i64,
    /// The new text; `None` deletes the message.
    pub text: Option<String>,
    /// For how long after it was sent a message may be changed, by the store's clock.
    pub window: Duration,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// It was made.
    Done {
        /// The message as it now is.
        message: Message,
        /// What the recipient has not read, if that changed.
        unread: Option<Unread>,
    },
    /// The message is deleted already.
    Gone(Message),
    /// The message was sent longer ago than the window, or is dated ahead of the store's clock.
    TooLate,
}

/// Which part of a history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// A page, without deleted messages.
    Page(Page),
    /// The first messages behind this one, deleted ones included.
    After(i64, u64),
    /// The last messages before this one, deleted ones included.
    Before(i64, u64),
}

/// A part of a history, oldest first.
#[derive(Debug, Clone)]
pub struct History {
    /// The messages.
    pub messages: Vec<Message>,
    /// The conversation's last message at that moment.
    pub last_seq: i64,
    /// How many messages each of the two has not read.
    pub unread: [u64; 2],
}
