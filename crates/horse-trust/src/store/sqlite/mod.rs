//! The embedded store: SQLite in WAL mode with `synchronous=FULL`.
//!
//! One thread writes, and commits in groups ([`writer`]); a few connections read ([`reader`]). The file is
//! one that `sqlite3` opens; a lock beside it keeps a second process away.

mod checkpoint;
mod codec;
mod import;
mod job;
mod queue;
mod reader;
mod schema;
mod statements;
#[cfg(test)]
mod tests;
mod writer;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::job::Job;
use self::reader::Readers;
use self::schema::SchemaError;
use self::writer::Writer;
use super::{
    Appended, Conversation, ConversationSummary, Message, NewConversation, NewMessage, Page, Profile, Result,
    Store, StoreError, User,
};
use crate::id::Id;

pub use self::import::{Staged, StagedConversation, StagedMessage, Transaction};

/// How long a statement waits for a lock that another program (an operator's `sqlite3`) holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long [`Store::ping`] may take.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// How many connections read.
const READERS: usize = 4;

/// Why a store can't be opened. One line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the lock file can't be made.
    #[error("{}: {source}", path.display())]
    Io {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the store.
    #[error("{}: in use by another process", .0.display())]
    InUse(PathBuf),
    /// SQLite does not take the file.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file is an SQLite database of another program.
    #[error("{}: a database of another program", .0.display())]
    Foreign(PathBuf),
    /// The file was written by a newer version of this program.
    #[error("{}: made by a newer version (schema {found}, this program knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that is known here.
        known: u32,
    },
}

/// The embedded store.
pub struct SqliteStore {
    writer: Writer,
    readers: Arc<Readers>,
}

/// An open database file that no other process has, before threads are started on it.
pub struct Database {
    path: PathBuf,
    connection: Connection,
    lock: File,
}

impl Database {
    /// Opens the file, makes it and its folder if there is none, takes the lock and migrates the schema.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let io_error = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(io_error(folder))?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(io_error(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io_error(&lock_path)(source)),
        }
        let sqlite_error = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(sqlite_error)?;
        schema::prepare(&mut connection).map_err(|error| match error {
            SchemaError::Sqlite(source) => sqlite_error(source),
            SchemaError::Foreign => OpenError::Foreign(path.to_owned()),
            SchemaError::Newer { found, known } => OpenError::Newer { path: path.to_owned(), found, known },
        })?;
        Ok(Self { path: path.to_owned(), connection, lock })
    }

    /// A transaction for an import.
    pub fn transaction(&mut self) -> rusqlite::Result<Transaction<'_>> {
        Transaction::begin(&mut self.connection)
    }
}

impl SqliteStore {
    /// Opens the store at `path` and starts its threads; has to be called on a tokio runtime.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let Database { path, connection, lock } = Database::open(path)?;
        let sqlite_error = |source| OpenError::Sqlite { path: path.clone(), source };
        let readers = Arc::new(Readers::open(&path, READERS).map_err(sqlite_error)?);
        let writer = Writer::start(path.clone(), connection, lock).map_err(sqlite_error)?;
        Ok(Self { writer, readers })
    }

    /// Has the writer do `work` in its next transaction.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        self.writer.push(Job::write(work, sender));
        receiver.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// The store is closed, or its thread is gone.
fn closed() -> StoreError {
    StoreError::Engine("the store is closed".into())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error.to_string().into())
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn append_message(&self, message: NewMessage, appended: Appended) {
        self.writer.push(Job::append(message, appended));
    }

    async fn conversation(&self, id: &Id) -> Result<Option<Conversation>> {
        let id = id.clone();
        self.readers.read(move |connection| statements::conversation(connection, &id)).await
    }

    async fn open_conversation(&self, conversation: NewConversation) -> Result<Conversation> {
        let ids = self.writer.ids();
        self.write(move |connection| {
            Ok(statements::find_or_insert_conversation(connection, &conversation, || ids.next())?)
        })
        .await
    }

    async fn conversations_of(&self, user: &Id) -> Result<Vec<ConversationSummary>> {
        let user = user.clone();
        self.readers.read(move |connection| statements::conversations_of(connection, &user)).await
    }

    async fn conversation_summary(&self, key: i64, user: &Id) -> Result<Option<ConversationSummary>> {
        let user = user.clone();
        self.readers.read(move |connection| statements::conversation_summary(connection, key, &user)).await
    }

    async fn messages(&self, conversation: &Conversation, page: Page) -> Result<Vec<Message>> {
        let conversation = conversation.clone();
        self.readers.read(move |connection| statements::messages(connection, &conversation, page)).await
    }

    async fn mark_read(&self, conversation: &Conversation, reader: &Id) -> Result<u64> {
        let key = conversation.key;
        let Some(side) = conversation.participants.iter().position(|user| user == reader) else {
            return Ok(0);
        };
        // Most often all is read already, and nothing has to be written.
        let unread = self.readers.read(move |connection| statements::unread(connection, key, side)).await?;
        if unread == 0 {
            return Ok(0);
        }
        self.write(move |connection| Ok(statements::mark_read(connection, key, side)?)).await
    }

    async fn unread_count(&self, user: &Id) -> Result<u64> {
        let user = user.clone();
        self.readers.read(move |connection| statements::unread_count(connection, &user)).await
    }

    async fn profile(&self, user: &Id) -> Result<Option<Profile>> {
        let user = user.clone();
        self.readers.read(move |connection| statements::profile(connection, &user)).await
    }

    async fn create_user(&self, user: User) -> Result<()> {
        self.write(move |connection| {
            statements::insert_user(connection, &user).map_err(|error| {
                if statements::is_taken(&error, "users.email") {
                    StoreError::EmailTaken
                } else {
                    error.into()
                }
            })
        })
        .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<User>> {
        let email = email.to_owned();
        self.readers.read(move |connection| statements::user_by_email(connection, &email)).await
    }

    async fn user(&self, id: &Id) -> Result<Option<User>> {
        let id = id.clone();
        self.readers.read(move |connection| statements::user(connection, &id)).await
    }

    async fn set_password_hash(&self, user: &Id, hash: &str) -> Result<()> {
        let (user, hash) = (user.clone(), hash.to_owned());
        self.write(move |connection| Ok(statements::set_password_hash(connection, &user, &hash)?)).await
    }

    async fn ping(&self) -> Result<()> {
        let both = async {
            self.readers.read(statements::ping).await?;
            // A commit of the writer, which shows that it has the lock and a disk to write to.
            self.write(|connection| Ok(statements::touch(connection)?)).await
        };
        tokio::time::timeout(PING_TIMEOUT, both)
            .await
            .unwrap_or_else(|_| Err(StoreError::Engine("the store did not answer in time".into())))
    }

    async fn close(&self) {
        self.writer.close().await;
    }
}
