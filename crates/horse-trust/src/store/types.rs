//! What the store keeps and hands out.

use std::sync::Arc;
use std::time::Duration;

use super::error::{Result, StoreError};
use crate::id::Id;
use crate::timestamp::Timestamp;

/// A user's rights, as the platform's tokens name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys and sells.
    Seller,
    /// Looks after the marketplace.
    Admin,
}

impl Role {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seller => "seller",
            Self::Admin => "admin",
        }
    }

    /// What was stored by that name; of one that is unknown the lesser rights.
    pub(super) fn from_name(name: &str) -> Self {
        if name == "admin" { Self::Admin } else { Self::Seller }
    }
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The user.
    pub id: Id,
    /// The name; an imported user may have none.
    pub full_name: Option<String>,
    /// Where the picture is.
    pub profile_picture_url: Option<String>,
}

/// An account.
#[derive(Clone)]
pub struct User {
    /// What others see.
    pub profile: Profile,
    /// Lower-case, unique.
    pub email: String,
    /// An argon2 (PHC string) or bcrypt (`$2a$`, `$2b$`) hash; empty for an imported account that has none,
    /// to which nobody can log in. Never leaves the server.
    pub password_hash: String,
    /// The rights.
    pub role: Role,
    /// `+` and 7 to 15 digits.
    pub phone: Option<String>,
    /// Whether the account may log in.
    pub is_active: bool,
    /// When the account was made.
    pub created_at: Timestamp,
}

/// A conversation of two: what never changes of it, so it may be cached without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The store's own key for it.
    pub key: i64,
    /// The id that clients know.
    pub id: Id,
    /// The two who take part, in the order in which they were given.
    pub participants: [Id; 2],
    /// The horse that it is about.
    pub horse_id: Option<Id>,
    /// When it was begun.
    pub created_at: Timestamp,
}

impl Conversation {
    /// The one who is not `user`; `None` if `user` takes no part.
    pub fn other(&self, user: &Id) -> Option<&Id> {
        let [first, second] = &self.participants;
        if first == user {
            Some(second)
        } else if second == user {
            Some(first)
        } else {
            None
        }
    }

    /// Which of the two `user` is.
    pub fn side_of(&self, user: &Id) -> Option<usize> {
        self.participants.iter().position(|participant| participant == user)
    }

    /// Which of the two `user` is; an error if neither, which the chat has ruled out.
    pub(super) fn require_side_of(&self, user: &Id) -> Result<usize> {
        self.side_of(user)
            .ok_or_else(|| StoreError::Engine("the user takes no part in the conversation".into()))
    }
}

/// A conversation as a list shows it to one of the two.
#[derive(Debug, Clone)]
pub struct ConversationSummary {
    /// The unchanging part.
    pub conversation: Conversation,
    /// The profiles of `participants`, in their order; `None` where the user has none here.
    pub profiles: [Option<Profile>; 2],
    /// When the last message came, or the conversation was made.
    pub updated_at: Timestamp,
    /// The last message, if there is one.
    pub last_message: Option<LastMessage>,
    /// How many messages of the other the asking user has not read.
    pub unread_count: u64,
    /// The sequence number of the last message, deleted or not; 0 if there is none.
    pub last_seq: i64,
    /// What is known of each of the two, in the order of `participants`.
    pub sides: [Side; 2],
    /// Whether both see the conversation: it has a message, or both have opened it.
    pub is_mutual: bool,
}

/// What is known of one of the two in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Side {
    /// Up to where the other's messages are read.
    pub read_seq: i64,
    /// Up to where the other's messages have reached a device.
    pub delivered_seq: i64,
    /// When the last device went, if it was ever seen to.
    pub last_seen: Option<Timestamp>,
    /// Whether this one has blocked the other.
    pub has_blocked: bool,
}

/// The snapshot of the last message in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// Its text.
    pub text: String,
    /// Who wrote it.
    pub sender_id: Id,
    /// When.
    pub sent_at: Timestamp,
    /// Whether the other has read it.
    pub is_read: bool,
}

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
    pub(super) fn text_bytes(&self) -> usize {
        self.text.len() + self.client_id.as_ref().map_or(0, String::len)
    }

    /// The message that is stored for it.
    pub(super) fn stored_as(&self, id: Id, seq: i64, sent_at: Timestamp) -> Message {
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
    pub(super) fn is_repeated_by(&self, conversation: &Conversation, new: &NewMessage) -> bool {
        let is_changed = self.edited_at.is_some() || self.deleted_at.is_some();
        conversation.key == new.conversation.key && (is_changed || self.text == new.text)
    }
}

/// How much a user has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// In one conversation.
    pub conversation: u64,
    /// In all.
    pub total: u64,
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

/// How far the conversations of a user go, at one moment.
#[derive(Debug, Clone)]
pub struct Ends {
    /// The user.
    pub user: Id,
    /// How many messages there are in all of them, also counted by [`Stored::positions`].
    pub position: i64,
    /// Each with its last message, those without any left out.
    pub conversations: Vec<(Arc<Conversation>, i64)>,
}

/// A part of a conversation to be marked as read.
#[derive(Debug, Clone)]
pub struct MarkRead {
    /// The conversation.
    pub conversation: Arc<Conversation>,
    /// Who has read.
    pub reader: Id,
    /// Up to which message; all if `None`.
    pub up_to: Option<i64>,
}

/// How far a user has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Up to which message; never less than before.
    pub up_to_seq: i64,
    /// How many messages were not read before and now are.
    pub newly_read: u64,
    /// What is left.
    pub unread: Unread,
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

/// What a user missed.
#[derive(Debug, Clone, Default)]
pub struct Missed {
    /// Where the messages are, in the order of their ids, without deleted ones; empty if there are too many.
    pub messages: Vec<MissedMessage>,
    /// Whether there are more than were asked for.
    pub is_too_much: bool,
    /// The conversations in which something came, each with its last message.
    pub changed: Vec<(Id, i64)>,
    /// Every conversation of the user that has messages, by the store's key, with its last message at that moment.
    pub last_seqs: Vec<(i64, i64)>,
}

/// A message that a user missed. Its text is read later ([`MessageStore::messages_at`]): texts of many are large.
///
/// [`MessageStore::messages_at`]: super::MessageStore::messages_at
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedMessage {
    /// Its id.
    pub id: Id,
    /// Its conversation.
    pub conversation: Arc<Conversation>,
    /// Its sequence number there.
    pub seq: i64,
}

/// Up to where what the other wrote has reached a device of one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The store's key of the conversation.
    pub conversation: i64,
    /// Which of its participants.
    pub side: usize,
    /// Up to which message.
    pub seq: i64,
}

/// A message that somebody complains of.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// Where the message is.
    pub conversation: Arc<Conversation>,
    /// Which it is.
    pub seq: i64,
    /// Who complains.
    pub reporter: Id,
    /// Of what.
    pub reason: String,
}

/// A complaint, with the message as it was.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its id.
    pub id: Id,
    /// Who complained.
    pub reporter: Id,
    /// Of what.
    pub reason: String,
    /// When.
    pub reported_at: Timestamp,
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// Who wrote it.
    pub sender: Id,
    /// Its place in the conversation.
    pub seq: i64,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it said.
    pub text: String,
}

/// A text that was edited away or deleted.
#[derive(Debug, Clone)]
pub struct Withdrawn {
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// Who wrote it.
    pub sender: Id,
    /// Its place in the conversation.
    pub seq: i64,
    /// When the text went.
    pub withdrawn_at: Timestamp,
    /// Whether the message was deleted, not edited.
    pub is_deleted: bool,
    /// What it said.
    pub text: String,
}

/// A conversation to find or begin.
#[derive(Debug)]
pub struct NewConversation {
    /// The two, the one who asks first.
    pub participants: [Id; 2],
    /// The horse that it is about.
    pub horse_id: Option<Id>,
}

/// Which part of a history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// From 1, the newest.
    pub number: u64,
    /// Messages a page, 1 to 100.
    pub limit: u64,
}

impl Page {
    /// How many rows a query answers, and how many it passes over before.
    pub(super) fn window(self) -> [i64; 2] {
        let [limit, before] = [self.limit, self.number.saturating_sub(1)].map(integer);
        [limit, before.saturating_mul(limit)]
    }
}

/// A number as databases have it; the greatest there is, if it is greater.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
