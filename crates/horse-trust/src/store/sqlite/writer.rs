//! The one thread that writes. It commits in groups: what comes while a commit syncs joins the next.

use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use super::codec::count;
use super::job::{Job, Write};
use super::memory::{Context, Memory};
use super::queue::Queue;
use super::recent::{self, Recent};
use super::{messages, statements};
use crate::id::IdGenerator;
use crate::store::clock::held_forward;
use crate::store::error::{Result, StoreError};
use crate::store::types::{Message, NewMessage, Stored, TOLD_AT_ONCE, Unread};
use crate::timestamp::Timestamp;

/// A handle on the thread.
pub(super) struct Writer {
    queue: Arc<Queue>,
    ids: Arc<IdGenerator>,
    told: mpsc::UnboundedSender<Vec<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread, which keeps `lock`, and the task that tells what came of each job.
    pub(super) fn start(path: PathBuf, mut connection: Connection, lock: File) -> rusqlite::Result<Self> {
        let ids = Arc::new(IdGenerator::new());
        if let Some(last) = messages::greatest_message_id(&connection, IdGenerator::MADE_UP_SECONDS)? {
            ids.continue_after(&last);
        }
        let queue = Arc::new(Queue::default());
        let (told, batches) = mpsc::unbounded_channel();
        tokio::spawn(tell(batches));
        let mut thread = Thread {
            checkpoints: Checkpoints::start(&path, &mut connection)?,
            path,
            connection,
            ids: Arc::clone(&ids),
            told: told.clone(),
            memory: Memory::default(),
            recent: Recent::default(),
            _lock: lock,
        };
        let jobs = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || thread.run(&jobs))
            .expect("the system starts a thread");
        Ok(Self { queue, ids, told, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn ids(&self) -> Arc<IdGenerator> {
        Arc::clone(&self.ids)
    }

    /// How many jobs are queued.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Queues a job. One that is refused fails in its turn, behind what was committed before.
    pub(super) fn push(&self, job: Job) {
        if let Err(refused) = self.queue.push(job)
            && let Err(mpsc::error::SendError(jobs)) = self.told.send(vec![*refused])
        {
            // Without a runtime there is no turn.
            jobs.into_iter().for_each(Job::tell);
        }
    }

    /// Has the thread commit what is queued and end; returns when all was told.
    pub(super) async fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        if !matches!(tokio::task::spawn_blocking(move || thread.join()).await, Ok(Ok(()))) {
            tracing::error!("the store's writer ended in a panic");
        }
        // The thread has handed over its last batch; when this is told, all before it was.
        let (sender, receiver) = oneshot::channel();
        self.push(Job::write(|_| Ok(()), Box::new(move |told: Result<()>| drop(sender.send(told)))));
        drop(receiver.await);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Tells what came of each job, in the order of commits, until the writer and its thread are gone.
async fn tell(mut batches: mpsc::UnboundedReceiver<Vec<Job>>) {
    while let Some(jobs) = batches.recv().await {
        for (count, job) in jobs.into_iter().enumerate() {
            // What was told has to go out, and others have work, too.
            if count % TOLD_AT_ONCE == TOLD_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            // A caller's panic is the caller's: the others are told all the same.
            if catch_unwind(AssertUnwindSafe(|| job.tell())).is_err() {
                tracing::error!("a panic in what follows a write");
            }
        }
    }
}

/// What the thread has.
struct Thread {
    path: PathBuf,
    connection: Connection,
    checkpoints: Checkpoints,
    ids: Arc<IdGenerator>,
    told: mpsc::UnboundedSender<Vec<Job>>,
    memory: Memory,
    recent: Recent,
    /// Given back when the thread ends.
    _lock: File,
}

impl Thread {
    fn run(&mut self, queue: &Queue) {
        while let Some(mut jobs) = queue.next_batch() {
            let committed = catch_unwind(AssertUnwindSafe(|| self.commit(&mut jobs)))
                .unwrap_or_else(|_| Err(StoreError::Engine("a panic while writing".into())));
            if let Err(error) = committed {
                tracing::error!(%error, path = %self.path.display(), "a batch was not committed");
                self.memory.clear();
                for job in &mut jobs {
                    job.fail(&error);
                }
            }
            if self.told.send(jobs).is_err() {
                tracing::error!("the runtime ended before the store");
                queue.close();
                break;
            }
            self.checkpoints.after_commit(&self.connection);
        }
        if let Err(error) = recent::settle_all(&mut self.connection) {
            tracing::warn!(%error, path = %self.path.display(), "recent messages are moved at the next start");
        }
        self.checkpoints.close();
        let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!(%error, path = %self.path.display(), "the write-ahead log stays until the next start");
        }
    }

    /// Does all jobs in one transaction. A job that fails alone has kept its error; an error here is one of
    /// the transaction, of which nothing is stored.
    fn commit(&mut self, jobs: &mut [Job]) -> Result<()> {
        self.memory.trim();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch {
            connection: &transaction,
            ids: &self.ids,
            memory: &mut self.memory,
            recent: self.recent,
            added: HashMap::new(),
        };
        let appends = jobs.iter().filter(|job| matches!(job, Job::Append(_))).count();
        for job in jobs {
            match job {
                Job::Append(append) => append.stored = Some(batch.append(&append.message)?),
                Job::Write(write) => batch.write(write.as_mut())?,
            }
        }
        batch.flush()?;
        if let Err(error) = batch.recent.advance(&transaction, appends) {
            let error = batch.alone(error.into())?;
            tracing::error!(%error, path = %self.path.display(), "recent messages stay where they are");
        }
        let recent = batch.recent;
        transaction.commit()?;
        self.recent = recent;
        Ok(())
    }
}

/// A transaction while it is filled.
struct Batch<'a> {
    connection: &'a Connection,
    ids: &'a IdGenerator,
    memory: &'a mut Memory,
    recent: Recent,
    /// How many messages each of the two added to a conversation whose row does not know it yet.
    added: HashMap<i64, [i64; 2]>,
}

impl Batch<'_> {
    /// Stores a message; its conversation's row follows in [`Batch::flush`]. The outer error is the
    /// transaction's, the inner one the message's own.
    fn append(&mut self, new: &NewMessage) -> Result<Result<Stored>> {
        match self.try_append(new) {
            Ok(stored) => Ok(Ok(stored)),
            // An answer, by which nothing was changed.
            Err(StoreError::ClientIdUsed) => Ok(Err(StoreError::ClientIdUsed)),
            Err(error) => {
                let error = self.alone(error)?;
                // What is remembered may be what misled it; what was added so far has to be in the file then.
                self.flush()?;
                self.memory.clear();
                if let Some(client_id) = &new.client_id {
                    messages::forget_client_id(self.connection, &new.sender, client_id)?;
                }
                Ok(Err(error))
            }
        }
    }

    fn try_append(&mut self, new: &NewMessage) -> Result<Stored> {
        let conversation = &new.conversation;
        let Some(side) = conversation.side_of(&new.sender) else {
            return Err(StoreError::Engine("the sender takes no part in the conversation".into()));
        };
        let key = conversation.key;
        let mut last = match self.memory.last.get(&key) {
            Some(last) => *last,
            None => statements::last_of(self.connection, key)?,
        };
        let seq = last.seq + 1;
        if let Some(client_id) = &new.client_id
            && !messages::insert_client_id(self.connection, &new.sender, client_id, key, seq)?
        {
            let (conversation, message) =
                messages::message_of_client(self.connection, &new.sender, client_id)?;
            if !message.is_repeated_by(&conversation, new) {
                return Err(StoreError::ClientIdUsed);
            }
            return Ok(Stored { conversation, message, unread: None, positions: None });
        }
        let recipient = &conversation.participants[1 - side];
        if self.memory.change_total(recipient, 0).is_none() {
            self.flush()?;
            self.memory.read_total(self.connection, recipient)?;
        }
        let message = Message {
            id: self.ids.next(),
            seq,
            sender: new.sender.clone(),
            text: new.text.clone(),
            is_read: false,
            sent_at: held_forward(Timestamp::now(), last.sent_at),
            client_id: new.client_id.clone(),
            edited_at: None,
            deleted_at: None,
        };
        self.recent.insert(self.connection, key, side, &message)?;
        last.seq = seq;
        last.sent_at = message.sent_at;
        last.unread[1 - side] += 1;
        self.memory.last.insert(key, last);
        self.added.entry(key).or_default()[side] += 1;
        let total = self.memory.change_total(recipient, 1).unwrap_or(last.unread[1 - side]);
        let unread = Some(Unread { conversation: count(last.unread[1 - side]), total: count(total) });
        Ok(Stored { conversation: Arc::clone(conversation), message, unread, positions: None })
    }

    /// Does another write, whole or not at all.
    fn write(&mut self, write: &mut dyn Write) -> Result<()> {
        // What it reads has to be what came before it.
        self.flush()?;
        self.memory.begin();
        statements::execute(self.connection, "SAVEPOINT job")?;
        if let Err(error) = write.run(&mut Context { connection: self.connection, memory: self.memory }) {
            self.alone(error)?;
            // All else is still true: to add up what a user has not read costs in proportion to the conversations.
            self.memory.roll_back();
            statements::execute(self.connection, "ROLLBACK TO job")?;
        }
        statements::execute(self.connection, "RELEASE job")?;
        Ok(())
    }

    /// Whether `error` is that of one job; some, as of a full disk, take the whole transaction with them.
    fn alone(&self, error: StoreError) -> Result<StoreError> {
        if self.connection.is_autocommit() { Err(error) } else { Ok(error) }
    }

    /// Brings the rows of the conversations that got messages up to date, one update each.
    fn flush(&mut self) -> Result<()> {
        for (key, added) in self.added.drain() {
            statements::update_conversation(self.connection, key, self.memory.last[&key], added)?;
        }
        Ok(())
    }
}
