//! What the server remembers, in the words of the domain. One folder an engine.

mod clock;
mod import;
mod lists;
pub mod postgres;
pub mod sqlite;
mod standing;
mod types;

use self::types::integer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::import::{ImportFile, ImportTarget, Staged, StagedConversation, StagedMessage};
pub use self::lists::{InvalidCursor, ListPlace, ListQuery};
pub use self::standing::{
    ChangeCursor, MAX_CHANGES, Revocation, Standing, Suspension, UserChange, UserChanges,
};
pub use self::types::{
    Appended, Change, Changed, Conversation, ConversationSummary, Delivered, Done, Ends, History,
    LastMessage, MarkRead, Message, Missed, MissedMessage, NewConversation, NewMessage, NewReport, Page,
    Profile, Range, Read, Report, Role, Side, Stored, Unread, User, Withdrawn,
};
use crate::id::Id;
use crate::timestamp::Timestamp;

/// How many are told of what was stored before other tasks have their turn, and what was told goes out.
pub(crate) const TOLD_AT_ONCE: usize = 32;

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The e-mail belongs to another account.
    #[error("the e-mail is taken")]
    EmailTaken,
    /// One of the two has blocked the other, and nothing was stored. From a store that several nodes may use: the
    /// chat of one node knows each block by itself.
    #[error("one of the two has blocked the other")]
    Blocked {
        /// Whether the one who wanted to write has.
        by_sender: bool,
    },
    /// The sender has used this `client_id` for a message of another conversation or of another text; nothing was
    /// stored.
    #[error("client_id was used for another message")]
    ClientIdUsed,
    /// The engine failed, or is closed; the text is for the log alone.
    #[error("{0}")]
    Engine(Arc<str>),
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The store. Every engine behaves alike: one test suite runs over all.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds `message` to the batch that is now open, and returns at once.
    ///
    /// `appended` is called once, after the batch was committed and synced (or failed as a whole), in the
    /// order of commits, never two at a time, on a thread of the runtime; it must not block. In one
    /// conversation commit order, the order of `seq` and the order of the calls here are the same. A repeat of a
    /// sender's `client_id` stores nothing and finds the first message, if [`Message::is_repeated_by`]; otherwise it
    /// is [`StoreError::ClientIdUsed`]. In a store that several nodes may use, nothing is stored after a block between
    /// the two was committed.
    fn append_message(&self, message: NewMessage, appended: Appended);

    /// The conversation with this id.
    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>>;

    /// The one conversation of these two about that horse (in either order); made if there is none, also
    /// if both ask at once. The first of the two opens it; the other does not see it before a message was written in
    /// it, or before opening it, too.
    async fn open_conversation(&self, conversation: NewConversation) -> Result<Conversation>;

    /// A part of the list of the conversations that `user` sees, newest `updated_at` first.
    async fn conversation_list(&self, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>>;

    /// The conversations with these keys as `user`'s list shows them, in that order.
    async fn conversation_summaries(&self, keys: &[i64], user: &Id) -> Result<Vec<ConversationSummary>>;

    /// One conversation as `user`'s list shows it.
    async fn conversation_summary(&self, key: i64, user: &Id) -> Result<Option<ConversationSummary>>;

    /// A part of a conversation's history, oldest first.
    async fn history(&self, conversation: &Conversation, range: Range) -> Result<History>;

    /// What came after the message `after` (everything, if `None`) in the conversations of `user`, at most
    /// `limit` messages.
    async fn missed(&self, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed>;

    /// The messages at these places, each a conversation and a sequence number: as many of the first ones as have
    /// `max_bytes` of text together, and at least one. `None` where there is no message.
    async fn messages_at(
        &self,
        places: Vec<(Arc<Conversation>, i64)>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Message>>>;

    /// Waits until the `done` of everything that this process committed before was called.
    async fn settled(&self) -> Result<()>;

    /// How many messages the conversations of each of these users have together, deleted ones included; a user without
    /// messages may be left out.
    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>>;

    /// How far the conversations of each of these users go; a user without messages may be left out.
    async fn ends_of(&self, users: Vec<Id>) -> Result<Vec<Ends>>;

    /// Marks what the other wrote as read. It costs in proportion to the messages that are newly read. `done` is
    /// called as that of [`Store::append_message`].
    fn mark_read(&self, mark: MarkRead, done: Done<Read>);

    /// Edits or deletes a message; of an edit blocks are looked at as of an append. `done` is called as that of
    /// [`Store::append_message`].
    fn change_message(&self, change: Change, done: Done<Changed>);

    /// Notes up to where messages have reached a device; never takes back.
    async fn set_delivered(&self, delivered: Vec<Delivered>) -> Result<()>;

    /// The message with this id.
    async fn message(&self, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>>;

    /// With whom each of these users shares a conversation that both see, blocked ones left out, each of them once.
    async fn partners_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>>;

    /// Notes when users' last devices went.
    async fn set_last_seen(&self, seen: Vec<(Id, Timestamp)>) -> Result<()>;

    /// Has `blocker` block `other`, or no longer. `done` is called as that of [`Store::append_message`].
    fn set_block(&self, blocker: &Id, other: &Id, is_blocked: bool, done: Done<()>);

    /// Whether the first has blocked the second, and the second the first.
    async fn blocks_between(&self, first: &Id, second: &Id) -> Result<[bool; 2]>;

    /// The keys of the conversations with `other` that `user` sees, at most `limit`, newest `updated_at` first.
    async fn shared_conversations(&self, user: &Id, other: &Id, limit: u32) -> Result<Vec<i64>>;

    /// Whom `user` has blocked, newest first, each with the profile if there is one and the two share a
    /// conversation that `user` sees.
    async fn blocked_by(&self, user: &Id) -> Result<Vec<(Id, Option<Profile>)>>;

    /// Keeps a complaint with the message as it is, or was before it was deleted; answers its id. Of each reporter one
    /// complaint about a message is kept: a repeat stores nothing and answers the first.
    async fn report(&self, report: NewReport) -> Result<Id>;

    /// The complaint of `reporter` about this message.
    async fn report_by(&self, reporter: &Id, message: &Id) -> Result<Option<Id>>;

    /// Complaints, newest first.
    async fn reports(&self, page: Page) -> Result<Vec<Report>>;

    /// Texts that were edited away or deleted, of one conversation or of all, newest first.
    async fn withdrawn(&self, conversation: Option<&Id>, page: Page) -> Result<Vec<Withdrawn>>;

    /// Forgets the texts that were withdrawn longer than `kept` ago, by the store's clock; answers how many.
    async fn forget_withdrawn(&self, kept: Duration) -> Result<u64>;

    /// Ends all sessions of `user`: makes the tokens void that were issued before, by the store's own clock and count.
    async fn revoke_tokens(&self, user: &Id) -> Result<Revocation>;

    /// How often all sessions of `user` were ended, for a token that is issued now.
    async fn session_generation(&self, user: &Id) -> Result<i64>;

    /// The users whose tokens are not all accepted, all of them.
    async fn standings(&self) -> Result<Vec<Standing>>;

    /// What changed of users after a cursor, by whatever process; without a cursor nothing, and the end of it.
    async fn user_changes(&self, after: Option<&ChangeCursor>) -> Result<UserChanges>;

    /// Forgets changes that are older than this, by the store's clock.
    async fn forget_user_changes(&self, kept: Duration) -> Result<()>;

    /// How many messages written to `user` are not read, in all conversations.
    async fn unread_count(&self, user: &Id) -> Result<u64>;

    /// What others see of `user`.
    async fn profile(&self, user: &Id) -> Result<Option<Profile>>;

    /// Stores a new account; [`StoreError::EmailTaken`] if the e-mail is.
    async fn create_user(&self, user: User) -> Result<()>;

    /// The account with this e-mail (lower-case).
    async fn user_by_email(&self, email: &str) -> Result<Option<User>>;

    /// The account with this id.
    async fn user(&self, id: &Id) -> Result<Option<User>>;

    /// Replaces an account's password hash.
    async fn set_password_hash(&self, user: &Id, hash: &str) -> Result<()>;

    /// Whether the store answers, for reading and for writing, within two seconds.
    async fn ping(&self) -> Result<()>;

    /// Commits what is queued, lets its calls run, and closes. Later appends fail.
    async fn close(&self);
}
