//! What the server remembers, in the words of the domain. One folder an engine.

pub mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;

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
}

/// The snapshot of the last message in a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
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
}

/// A stored message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id; ids made here sort by creation.
    pub id: Id,
    /// Its place in the conversation: 1, 2, 3 … without holes.
    pub seq: i64,
    /// Who wrote it.
    pub sender: Id,
    /// What was written.
    pub text: String,
    /// Whether the other has read it.
    pub is_read: bool,
    /// When it was stored.
    pub sent_at: Timestamp,
}

/// Called once with what became of an append. See [`Store::append_message`].
pub type Appended = Box<dyn FnOnce(Result<(NewMessage, Message)>) + Send>;

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

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The e-mail belongs to another account.
    #[error("the e-mail is taken")]
    EmailTaken,
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
    /// conversation commit order, the order of `seq` and the order of the calls here are the same.
    fn append_message(&self, message: NewMessage, appended: Appended);

    /// The conversation with this id.
    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>>;

    /// The one conversation of these two about that horse (in either order); made if there is none, also
    /// if both ask at once.
    async fn open_conversation(&self, conversation: NewConversation) -> Result<Conversation>;

    /// The conversations in which `user` takes part, newest `updated_at` first.
    async fn conversations_of(&self, user: &Id) -> Result<Vec<ConversationSummary>>;

    /// One conversation as `user`'s list shows it.
    async fn conversation_summary(&self, key: i64, user: &Id) -> Result<Option<ConversationSummary>>;

    /// A page of a conversation's history, oldest first within the page; deleted messages are left out.
    async fn messages(&self, conversation: &Conversation, page: Page) -> Result<Vec<Message>>;

    /// Marks what others wrote as read by `reader`; answers how many messages that were not read now are.
    async fn mark_read(&self, conversation: &Conversation, reader: &Id) -> Result<u64>;

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
