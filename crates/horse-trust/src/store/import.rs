//! The target of an import, in either engine: one transaction per file, so that a bad record leaves nothing behind.

use super::error::Result;
use super::types::{LastMessage, MessageExtras, User};
use crate::id::Id;
use crate::timestamp::Timestamp;

/// A conversation as an import brings it.
#[derive(Debug)]
pub struct StagedConversation {
    /// Its id.
    pub id: Id,
    /// The two participants.
    pub participants: [Id; 2],
    /// The horse that it is about.
    pub horse_id: Option<Id>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last written to.
    pub updated_at: Timestamp,
    /// The snapshot of the last message.
    pub last_message: Option<LastMessage>,
}

/// A message as an import brings it.
#[derive(Debug)]
pub struct StagedMessage {
    /// Its id.
    pub id: Id,
    /// The id of its conversation.
    pub conversation_id: Id,
    /// Its sender.
    pub sender_id: Id,
    /// Its text.
    pub text: String,
    /// Its optional parts.
    pub extras: Option<Box<MessageExtras>>,
    /// Whether its recipient has read it.
    pub is_read: bool,
    /// When its recipient read it.
    pub read_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What messages of a conversation are put in order by: the date that was brought along, which `sent_at` is too
    /// unless it lay in the future.
    pub order: Timestamp,
}

/// The outcome of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// It is new.
    Added,
    /// It was there before.
    Known,
    /// It can't be: the field and what is wrong with it. What comes after it may not have been looked at.
    Refused(&'static str, &'static str),
}

impl Staged {
    pub(super) const NO_CONVERSATION: Self = Self::Refused("conversation_id", "no such conversation");
    pub(super) const NO_PARTICIPANT: Self = Self::Refused("sender_id", "takes no part in the conversation");
    pub(super) const EMAIL_TAKEN: Self = Self::Refused("email", "belongs to another user");

    /// For a record that an insertion added, or left out because its id is known.
    pub(super) fn added_or_known(is_added: bool) -> Self {
        if is_added { Self::Added } else { Self::Known }
    }
}

/// A store that nobody serves, to bring files into.
pub trait ImportTarget {
    /// Begins a file.
    fn begin(&mut self) -> Result<Box<dyn ImportFile + '_>>;
}

/// The transaction of a file; what is not committed is not there. Each call answers what became of its records, in
/// their order, up to the first that was refused.
pub trait ImportFile {
    /// Adds accounts.
    fn users(&mut self, users: &[User]) -> Result<Vec<Staged>>;

    /// Adds conversations.
    fn conversations(&mut self, conversations: &[StagedConversation]) -> Result<Vec<Staged>>;

    /// Adds messages; [`ImportFile::commit`] puts them in their places.
    fn messages(&mut self, messages: &[StagedMessage]) -> Result<Vec<Staged>>;

    /// Puts messages in their order behind those that are there, counts, and commits.
    fn commit(self: Box<Self>) -> Result<()>;
}
