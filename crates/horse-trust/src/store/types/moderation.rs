//! Reports and what became of them, and texts that were withdrawn: replaced by an edit, or deleted.

use std::sync::Arc;

use super::audit::Actor;
use super::conversations::Conversation;
use super::messages::Message;
use super::page::integer;
use crate::id::Id;
use crate::timestamp::Timestamp;

/// A report of a message.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// The message's conversation.
    pub conversation: Arc<Conversation>,
    /// The message's sequence number.
    pub seq: i64,
    /// The user who reports it.
    pub reporter: Id,
    /// The reason, in the reporter's words.
    pub reason: String,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportState {
    /// It waits for an admin.
    Open,
    /// An admin has acted on it.
    Resolved,
    /// An admin found nothing to act on.
    Dismissed,
}

impl ReportState {
    /// Its name in the database and in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Dismissed => "dismissed",
        }
    }

    /// The state with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Resolved, Self::Dismissed].into_iter().find(|state| state.name() == name)
    }

    /// The state with this name in the database. A name that is unknown, which only another program writes, waits for an
    /// admin.
    pub(in crate::store) fn from_column(name: &str) -> Self {
        Self::from_name(name).unwrap_or(Self::Open)
    }
}

/// Which reports are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportQuery {
    /// Those in this state alone.
    pub state: Option<ReportState>,
    /// Those that are older than the report with this key.
    pub after: Option<i64>,
    /// How many of the latest are passed over.
    pub skip: u64,
    /// How many at most.
    pub limit: u64,
}

impl ReportQuery {
    /// What the keys are less than, the `LIMIT` and the `OFFSET` of a query.
    pub(in crate::store) fn window(self) -> [i64; 3] {
        [self.after.unwrap_or(i64::MAX), integer(self.limit), integer(self.skip)]
    }
}

/// An admin's decision on a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportDecision {
    /// The new state.
    pub state: ReportState,
    /// The new note, `Some(None)` for none; `None` leaves it as it was.
    pub note: Option<Option<String>>,
}

/// A stored report, with the message as it was.
#[derive(Debug, Clone)]
pub struct Report {
    /// Ascends with the time of the report.
    pub key: i64,
    /// Its id.
    pub id: Id,
    /// The user who reported it.
    pub reporter: Id,
    /// The reason, in the reporter's words.
    pub reason: String,
    /// When it was reported.
    pub reported_at: Timestamp,
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// The message's sender.
    pub sender: Id,
    /// The message's sequence number.
    pub seq: i64,
    /// When the message was stored.
    pub sent_at: Timestamp,
    /// The text.
    pub text: String,
    /// What became of it.
    pub state: ReportState,
    /// The note of the admin who decided last.
    pub note: Option<String>,
    /// When an admin last decided on it.
    pub decided_at: Option<Timestamp>,
    /// Who that was.
    pub decided_by: Option<Actor>,
}

/// A message's conversation, and the messages around it.
pub type Surroundings = (Arc<Conversation>, Vec<Message>);

/// A text that was withdrawn: replaced by an edit, or deleted.
#[derive(Debug, Clone)]
pub struct Withdrawn {
    /// The message's conversation.
    pub conversation_id: Id,
    /// The message's id.
    pub message_id: Id,
    /// The message's sender.
    pub sender: Id,
    /// The message's sequence number.
    pub seq: i64,
    /// When it was withdrawn.
    pub withdrawn_at: Timestamp,
    /// Whether the message was deleted, not edited.
    pub is_deleted: bool,
    /// The text.
    pub text: String,
}
