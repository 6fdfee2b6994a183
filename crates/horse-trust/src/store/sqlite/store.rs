//! The traits of a store, over the connections that read and the one that writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::codec::count;
use super::database::{Database, OpenError};
use super::engine::SqliteEngine;
use super::job::Job;
use super::reader::Readers;
use super::{accounts, conversations, messages, people, standing, statements};
use crate::callback::Callback;
use crate::id::{Id, IdGenerator};
use crate::store::error::{Result, StoreError};
use crate::store::group_commit::{GroupCommit, Write};
use crate::store::lists::{ListPlace, ListQuery};
use crate::store::outbox::SharedPlan;
use crate::store::standing::{ChangeCursor, Revocation, Standing, UserChanges, VoidToken};
use crate::store::traits::{
    AccountStore, ConversationStore, DeliveryStore, Lifecycle, MessageStore, StandingStore,
};
use crate::store::types::{
    Change, Changed, Conversation, ConversationSummary, Delivered, History, MarkRead, Message, Missed,
    NewConversation, NewMessage, Profile, Range, Read, SettingsChange, Stored, User, UserPosition,
};
use crate::timestamp::Timestamp;

/// How long [`Lifecycle::ping`] may take.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How many receipts, or times of users, one write notes: messages wait for it.
const NOTED_AT_ONCE: usize = 500;
/// How many connections read.
pub(super) const READERS: usize = 4;

/// The embedded store.
pub struct SqliteStore {
    pub(super) writes: GroupCommit<Job>,
    /// Of conversations and reports; those of messages are made by the writer.
    pub(super) ids: Arc<IdGenerator>,
    /// What is written to the outbox.
    pub(super) plan: SharedPlan,
    pub(super) readers: Arc<Readers>,
    /// The file.
    pub(super) path: PathBuf,
}

impl SqliteStore {
    /// Opens the store at `path` and starts its threads; has to be called on a tokio runtime.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Self::start(Database::open(path)?)
    }

    pub(super) fn start(database: Database) -> std::result::Result<Self, OpenError> {
        let Database { path, connection, lock } = database;
        let sqlite_error = |source| OpenError::Sqlite { path: path.clone(), source };
        let readers = Arc::new(Readers::open(&path, READERS).map_err(sqlite_error)?);
        let engine = SqliteEngine::new(path.clone(), connection, lock).map_err(sqlite_error)?;
        let (ids, plan) = (engine.ids(), engine.plan());
        let (writes, work) = GroupCommit::new(engine);
        // A thread of its own, as a commit blocks until the disk has it.
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || runtime.block_on(work))
            .expect("the system starts a thread");
        Ok(Self { writes, ids, plan, readers, path })
    }

    /// Has the writer do `work` in its next transaction.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_bytes(0, work).await
    }

    /// [`SqliteStore::write`] for `work` that holds many bytes.
    pub(super) async fn write_bytes<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        // A caller that stopped waiting does not need the result.
        let callback = Box::new(move |result| drop(sender.send(result)));
        self.writes.push(Write::Custom(Job::new(bytes, work, callback)));
        receiver.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }
}

#[async_trait]
impl MessageStore for SqliteStore {
    fn append_message(&self, message: NewMessage, callback: Callback<Result<Stored>>) {
        self.writes.push(Write::append(message, callback));
    }

    fn change_message(&self, change: Change, callback: Callback<Result<Changed>>) {
        self.writes.push(Write::change(change, callback));
    }

    fn mark_read(&self, mark: MarkRead, callback: Callback<Result<Read>>) {
        self.writes.push(Write::mark_read(mark, callback));
    }

    async fn message(&self, id: &Id) -> Result<Option<(Arc<Conversation>, Message)>> {
        let id = id.clone();
        self.readers.snapshot(move |connection| messages::message(connection, &id)).await
    }

    async fn history(&self, conversation: &Conversation, range: Range) -> Result<History> {
        let conversation = conversation.clone();
        self.readers.snapshot(move |connection| messages::history(connection, &conversation, range)).await
    }

    async fn messages_at(
        &self,
        places: Vec<(Arc<Conversation>, i64)>,
        max_bytes: usize,
    ) -> Result<Vec<Option<Message>>> {
        self.readers.snapshot(move |connection| messages::messages_at(connection, &places, max_bytes)).await
    }

    async fn unread_count(&self, user: &Id) -> Result<u64> {
        let user = user.clone();
        self.readers.read(move |connection| conversations::unread_count(connection, &user).map(count)).await
    }
}

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>> {
        let id = id.clone();
        self.readers.read(move |connection| conversations::conversation(connection, &id)).await
    }

    async fn open_conversation(&self, conversation: NewConversation) -> Result<Conversation> {
        let (ids, plan) = (Arc::clone(&self.ids), Arc::clone(&self.plan));
        self.write(move |connection| {
            let plan = plan.get();
            Ok(conversations::find_or_insert_conversation(connection, &conversation, plan, || ids.next())?)
        })
        .await
    }

    async fn change_settings(
        &self,
        conversation: &Conversation,
        user: &Id,
        change: SettingsChange,
    ) -> Result<()> {
        let (key, side) = (conversation.key, conversation.require_side_of(user)?);
        self.write(move |connection| Ok(conversations::change_settings(connection, key, side, change)?)).await
    }

    async fn conversation_list(&self, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>> {
        let user = user.clone();
        self.readers.read(move |connection| conversations::list(connection, &user, query)).await
    }

    async fn conversation_summaries(&self, keys: &[i64], user: &Id) -> Result<Vec<ConversationSummary>> {
        let (keys, user) = (keys.to_vec(), user.clone());
        self.readers.read(move |connection| conversations::summaries(connection, &keys, &user)).await
    }

    async fn conversation_summary(&self, key: i64, user: &Id) -> Result<Option<ConversationSummary>> {
        let user = user.clone();
        self.readers.read(move |connection| conversations::conversation_summary(connection, key, &user)).await
    }

    async fn shared_conversations(&self, user: &Id, other: &Id, limit: u32) -> Result<Vec<i64>> {
        let (user, other) = (user.clone(), other.clone());
        self.readers
            .read(move |connection| people::shared_conversations(connection, &user, &other, limit))
            .await
    }

    async fn partners_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>> {
        self.readers.read(move |connection| people::partners_of(connection, &users)).await
    }
}

#[async_trait]
impl DeliveryStore for SqliteStore {
    async fn missed(&self, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed> {
        let (user, after) = (user.clone(), after.cloned());
        self.readers
            .snapshot(move |connection| messages::missed(connection, &user, after.as_ref(), limit))
            .await
    }

    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>> {
        let positions = self.detailed_positions_of(users).await?;
        Ok(positions.into_iter().map(|UserPosition { user, position, .. }| (user, position)).collect())
    }

    async fn detailed_positions_of(&self, users: Vec<Id>) -> Result<Vec<UserPosition>> {
        self.readers.snapshot(move |connection| messages::detailed_positions_of(connection, &users)).await
    }

    async fn set_delivered(&self, delivered: Vec<Delivered>) -> Result<()> {
        for part in delivered.chunks(NOTED_AT_ONCE).map(<[_]>::to_vec) {
            let bytes = size_of_val(&*part);
            self.write_bytes(bytes, move |connection| Ok(messages::set_delivered(connection, &part)?))
                .await?;
        }
        Ok(())
    }

    async fn set_last_seen(&self, seen: Vec<(Id, Timestamp)>) -> Result<()> {
        for part in seen.chunks(NOTED_AT_ONCE).map(<[_]>::to_vec) {
            let bytes = size_of_val(&*part);
            self.write_bytes(bytes, move |connection| Ok(people::set_last_seen(connection, &part)?)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn create_user(&self, user: User) -> Result<()> {
        self.write(move |connection| {
            accounts::insert_user(connection, &user).map_err(|error| {
                if statements::is_taken(&error, "users.email") {
                    StoreError::EmailTaken
                } else {
                    error.into()
                }
            })
        })
        .await
    }

    async fn user(&self, id: &Id) -> Result<Option<User>> {
        let id = id.clone();
        self.readers.read(move |connection| accounts::user(connection, &id)).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>> {
        let email = email.to_owned();
        self.readers.read(move |connection| accounts::user_by_email(connection, &email)).await
    }

    async fn set_password_hash(&self, user: &Id, hash: &str) -> Result<()> {
        let (user, hash) = (user.clone(), hash.to_owned());
        self.write(move |connection| Ok(accounts::set_password_hash(connection, &user, &hash)?)).await
    }

    async fn profile(&self, user: &Id) -> Result<Option<Profile>> {
        let user = user.clone();
        self.readers.read(move |connection| accounts::profile(connection, &user)).await
    }
}

#[async_trait]
impl StandingStore for SqliteStore {
    async fn revoke_tokens(&self, user: &Id) -> Result<Revocation> {
        let user = user.clone();
        self.write(move |connection| Ok(standing::revoke_tokens(connection, &user)?)).await
    }

    async fn void_token(&self, token: VoidToken) -> Result<Option<Revocation>> {
        self.write(move |connection| Ok(standing::void_token(connection, &token)?)).await
    }

    async fn void_tokens(&self) -> Result<Vec<VoidToken>> {
        self.readers.read(standing::void_tokens).await
    }

    async fn session_generation(&self, user: &Id) -> Result<i64> {
        let user = user.clone();
        self.readers.read(move |connection| standing::session_generation(connection, &user)).await
    }

    async fn standings(&self) -> Result<Vec<Standing>> {
        self.readers.read(standing::standings).await
    }

    async fn user_changes(&self, after: Option<&ChangeCursor>) -> Result<UserChanges> {
        let after = after.cloned();
        self.readers
            .snapshot(move |connection| match after {
                Some(after) => standing::user_changes(connection, &after),
                None => {
                    let cursor = standing::last_change(connection)?;
                    Ok(UserChanges { cursor, changes: Some(Vec::new()) })
                }
            })
            .await
    }

    async fn forget_user_changes(&self, kept: Duration) -> Result<()> {
        self.write(move |connection| Ok(standing::forget_user_changes(connection, kept)?)).await
    }
}

#[async_trait]
impl Lifecycle for SqliteStore {
    async fn ping(&self) -> Result<()> {
        let both = async {
            self.readers.read(statements::ping).await?;
            // A commit of the writer, which shows that it has the lock and a disk to write to.
            self.writes.touch().await
        };
        tokio::time::timeout(PING_TIMEOUT, both)
            .await
            .unwrap_or_else(|_| Err(StoreError::Engine("the store did not answer in time".into())))
    }

    async fn flush(&self) -> Result<()> {
        self.writes.flush().await
    }

    async fn close(&self) {
        self.writes.close().await;
    }
}
