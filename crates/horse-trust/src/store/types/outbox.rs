//! The outbox: events for other systems, each stored in the transaction of the write that it is about.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::conversations::{Conversation, ConversationSummary};
use super::messages::Message;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// The kind of an event. The numbers are those in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum EventKind {
    /// A message was stored.
    MessageCreated = 1,
    /// A message was edited.
    MessageUpdated = 2,
    /// A message was deleted.
    MessageDeleted = 3,
    /// A message waits for a user who is away.
    MessageUnseen = 4,
    /// Two users have a new conversation.
    ConversationCreated = 5,
    /// A message was reported.
    ReportCreated = 6,
    /// A user has blocked another.
    UserBlocked = 7,
    /// A user has lifted a block.
    UserUnblocked = 8,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::MessageCreated,
        Self::MessageUpdated,
        Self::MessageDeleted,
        Self::MessageUnseen,
        Self::ConversationCreated,
        Self::ReportCreated,
        Self::UserBlocked,
        Self::UserUnblocked,
    ];

    /// The `type` that receivers get.
    pub fn name(self) -> &'static str {
        match self {
            Self::MessageCreated => "message.created",
            Self::MessageUpdated => "message.updated",
            Self::MessageDeleted => "message.deleted",
            Self::MessageUnseen => "message.unseen",
            Self::ConversationCreated => "conversation.created",
            Self::ReportCreated => "report.created",
            Self::UserBlocked => "user.blocked",
            Self::UserUnblocked => "user.unblocked",
        }
    }

    /// Its number in the database.
    pub(in crate::store) fn code(self) -> i16 {
        self as i16
    }

    /// The kind of a number in the database. `None` for one of a newer version.
    pub(in crate::store) fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKinds(u16);

impl EventKinds {
    /// Whether `kind` is in the set.
    pub fn contains(self, kind: EventKind) -> bool {
        self.0 & (1 << kind as i16) != 0
    }
}

impl FromIterator<EventKind> for EventKinds {
    fn from_iter<T: IntoIterator<Item = EventKind>>(kinds: T) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as i16))
    }
}

/// Somebody whom events are sent to, by the store's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId(pub(in crate::store) i16);

impl std::fmt::Display for SubscriberId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a subscriber is known by over restarts.
#[derive(Debug, Clone)]
pub struct NewSubscriber {
    /// Identifies it. A digest, because its URL may hold a secret.
    pub digest: String,
    /// What is shown of it.
    pub origin: String,
}

/// What is written to the outbox, and for whom.
#[derive(Debug)]
pub struct OutboxSettings {
    /// The subscribers.
    pub subscribers: Vec<NewSubscriber>,
    /// The kinds of events that they want.
    pub kinds: EventKinds,
    /// How long a recipient is without a device before [`EventKind::MessageUnseen`].
    pub unseen_after: Duration,
}

/// An outbox that is written to from now on.
#[derive(Debug)]
pub struct Outbox {
    /// The subscribers, in the order of [`OutboxSettings::subscribers`].
    pub subscribers: Vec<SubscriberId>,
    /// Notified when this process has added events. What other processes add is found by looking.
    pub added: Arc<Notify>,
}

/// An event in the outbox of one subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEvent {
    /// Its number. Numbers ascend in the order of commits, and are the same for all subscribers.
    pub number: i64,
    /// Events of one lane are sent one after another, in the order of their numbers: the key of a conversation, or a negative
    /// number of two users.
    pub lane: i64,
    /// Its kind.
    pub kind: EventKind,
    /// The sequence number of the message in its conversation; 0 without one.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// How many messages the recipient had not read then, in all conversations, if that was known.
    pub unread: Option<u64>,
    /// Ids that it needs beside, by its kind: the recipient, the report, or the two users, with a space between.
    pub detail: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it has left the queue of new events: it was tried, or waits behind one that was.
    pub is_waiting: bool,
}

/// Events that may be sent next.
#[derive(Debug, Default)]
pub struct OutboxBatch {
    /// New events behind a number, oldest first, each with whether earlier ones of its lane wait to be tried again.
    pub new: Vec<(OutboxEvent, bool)>,
    /// Events that wait and are due, those that are due longest first.
    pub due: Vec<OutboxEvent>,
    /// When the next one that waits is due, from now, if one is that is not in `due`.
    pub next_due: Option<Duration>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It was received, or what it is about is gone.
    Done,
    /// It waits behind an earlier one of its lane.
    Behind,
    /// It was tried in vain, and is due again after this time.
    Retry(Duration, String),
    /// It was tried in vain, and is not tried again.
    GiveUp(String),
}

/// Where an event stands in the list of those that were given up: its subscriber's number, and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GivenUpKey(pub i16, pub i64);

/// An event that is not tried again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// Its place in the list.
    pub key: GivenUpKey,
    /// What may be shown of its subscriber.
    pub origin: String,
    /// Its kind. `None` for one of a newer version.
    pub kind: Option<EventKind>,
    /// When it happened.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// Why the last attempt failed.
    pub error: String,
}

/// What is waiting for a subscriber, and what was given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// How many events wait, tried or not.
    pub waiting: u64,
    /// For how long the oldest of them has waited.
    pub oldest: Option<Duration>,
    /// How many were given up and are kept.
    pub given_up: u64,
}

/// What an event in a conversation is about, as it is now.
#[derive(Debug, Clone)]
pub struct OutboxSubject {
    /// The conversation as the list of its viewer shows it.
    pub conversation: ConversationSummary,
    /// The message, if the event has one and it is still there.
    pub message: Option<Message>,
}

/// What is asked for of an event in a conversation.
#[derive(Debug, Clone)]
pub struct SubjectQuery {
    /// The conversation, by the store's key.
    pub conversation: i64,
    /// The message's sequence number; 0 for none.
    pub seq: i64,
    /// Whose list shows the conversation: this participant's, or else the message's recipient's, or else the first one's.
    pub viewer: Option<Id>,
}

/// A conversation in which somebody may have been away since the first message that they have not read.
#[derive(Debug, Clone)]
pub struct UnseenDue {
    /// The conversation.
    pub conversation: Arc<Conversation>,
    /// Which of its participants has not read.
    pub side: usize,
    /// The first message that was not read: its sequence number, and how long ago it was sent. `None` if all is read.
    pub first_unread: Option<(i64, Duration)>,
    /// How long ago the last device of the participant disconnected, as far as that was recorded.
    pub last_seen: Option<Duration>,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnseenOutcome {
    /// All is read.
    Forget,
    /// It is looked at again after this time.
    Wait(Duration),
    /// An event is added for the message with this sequence number.
    Notify(i64),
}
