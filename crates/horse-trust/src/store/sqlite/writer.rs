//! The one thread that writes. It commits in groups: what comes while a commit syncs joins the next.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{closed, statements};
use crate::id::IdGenerator;
use crate::store::{Appended, Message, NewMessage, Result, StoreError};
use crate::timestamp::Timestamp;

/// How many jobs one transaction takes at most.
const BATCH: usize = 512;
/// How many jobs may wait; more fail at once.
const QUEUE: usize = 100_000;
/// Of how many conversations the last sequence number is remembered.
const REMEMBERED: usize = 50_000;

/// Called after the commit with whether it succeeded.
type Finish = Box<dyn FnOnce(Result<()>) + Send>;
/// Work within the transaction; what it returns is called after the commit.
type Work = Box<dyn FnOnce(&Connection) -> Finish + Send>;

/// What the writer is asked to do.
pub(super) enum Job {
    Append(NewMessage, Appended),
    Write(Work),
}

/// What came of a job, to be told after the commit.
enum Outcome {
    Append(Appended, Result<(NewMessage, Message)>),
    Write(Finish, Result<()>),
}

impl Job {
    pub(super) fn append(message: NewMessage, appended: Appended) -> Self {
        Self::Append(message, appended)
    }

    pub(super) fn write<T: Send + 'static>(
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        sender: oneshot::Sender<Result<T>>,
    ) -> Self {
        Self::Write(Box::new(move |connection| {
            let result = work(connection);
            // Who has stopped waiting does not want to know.
            Box::new(move |committed| drop(sender.send(committed.and(result))))
        }))
    }
}

/// A handle on the thread.
pub(super) struct Writer {
    queue: Arc<Queue>,
    ids: Arc<IdGenerator>,
    outcomes: mpsc::UnboundedSender<Vec<Outcome>>,
    tasks: Mutex<Option<(JoinHandle<()>, tokio::task::JoinHandle<()>)>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    filled: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    is_closed: bool,
    is_waited_for: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch; `None` when the queue is closed and empty.
    fn next_batch(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.is_closed {
                return None;
            }
            state.is_waited_for = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_waited_for = false;
        let count = state.jobs.len().min(BATCH);
        Some(state.jobs.drain(..count).collect())
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }
}

impl Writer {
    /// Starts the thread, which keeps `lock`, and the task that tells what came of each job.
    pub(super) fn start(path: PathBuf, connection: Connection, lock: File) -> rusqlite::Result<Self> {
        let ids = Arc::new(IdGenerator::new());
        if let Some(last) = statements::greatest_message_id(&connection)? {
            ids.continue_after(&last);
        }
        let queue = Arc::new(Queue::default());
        let (outcomes, mut told) = mpsc::unbounded_channel::<Vec<Outcome>>();
        let thread = {
            let mut thread = Thread {
                path,
                connection,
                ids: Arc::clone(&ids),
                outcomes: outcomes.clone(),
                last: HashMap::new(),
                _lock: lock,
            };
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name("store-writer".to_owned())
                .spawn(move || thread.run(&queue))
                .expect("the system starts a thread")
        };
        let teller = tokio::spawn(async move {
            while let Some(outcomes) = told.recv().await {
                for outcome in outcomes {
                    outcome.tell();
                }
            }
        });
        Ok(Self { queue, ids, outcomes, tasks: Mutex::new(Some((thread, teller))) })
    }

    pub(super) fn ids(&self) -> Arc<IdGenerator> {
        Arc::clone(&self.ids)
    }

    /// Queues a job. If it can't be, the job fails, in its turn behind those that were told before.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.queue.lock();
        if state.is_closed || state.jobs.len() >= QUEUE {
            let error =
                if state.is_closed { closed() } else { StoreError::Engine("too many writes wait".into()) };
            drop(state);
            match job {
                Job::Append(_, appended) => {
                    let outcome = Outcome::Append(appended, Err(error));
                    if let Err(mpsc::error::SendError(outcomes)) = self.outcomes.send(vec![outcome]) {
                        outcomes.into_iter().for_each(Outcome::tell);
                    }
                }
                // Dropped, it tells who waits that the store is closed.
                Job::Write(_) => {}
            }
            return;
        }
        state.jobs.push_back(job);
        if state.is_waited_for {
            state.is_waited_for = false;
            self.queue.filled.notify_one();
        }
    }

    /// Has the thread commit what is queued and end; returns when all was told.
    pub(super) async fn close(&self) {
        self.queue.close();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((thread, teller)) = tasks else { return };
        if !matches!(tokio::task::spawn_blocking(move || thread.join()).await, Ok(Ok(()))) {
            tracing::error!("the store's writer ended in a panic");
        }
        // The thread has handed over its last batch; an empty one behind it shows that all before were told.
        let (sender, receiver) = oneshot::channel();
        let last = Outcome::Write(Box::new(move |_| sender.send(()).unwrap_or_default()), Ok(()));
        if self.outcomes.send(vec![last]).is_ok() && receiver.await.is_err() {
            tracing::error!("what was stored last could not be told");
        }
        teller.abort();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Outcome {
    fn tell(self) {
        match self {
            Self::Append(appended, result) => appended(result),
            Self::Write(finish, result) => finish(result),
        }
    }

    /// The transaction as a whole has failed.
    fn fail(&mut self, error: &StoreError) {
        match self {
            Self::Append(_, result) => *result = Err(error.clone()),
            Self::Write(_, result) => *result = Err(error.clone()),
        }
    }
}

/// What the thread has.
struct Thread {
    path: PathBuf,
    connection: Connection,
    ids: Arc<IdGenerator>,
    outcomes: mpsc::UnboundedSender<Vec<Outcome>>,
    /// Of conversations written to lately: the last sequence number and time.
    last: HashMap<i64, Last>,
    _lock: File,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    pub(super) seq: i64,
    pub(super) at: Timestamp,
}

/// What a batch adds to one conversation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Added {
    /// By each of the two.
    pub(super) by: [i64; 2],
}

impl Thread {
    fn run(&mut self, queue: &Queue) {
        // Whatever ends the thread, nobody shall wait for it.
        struct CloseOnDrop<'a>(&'a Queue);
        impl Drop for CloseOnDrop<'_> {
            fn drop(&mut self) {
                let mut state = self.0.lock();
                state.is_closed = true;
                state.jobs.clear();
            }
        }
        let _close = CloseOnDrop(queue);
        while let Some(jobs) = queue.next_batch() {
            let outcomes = self.commit(jobs);
            if self.outcomes.send(outcomes).is_err() {
                tracing::error!("the runtime ended before the store");
                return;
            }
        }
        let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = checkpoint {
            tracing::warn!(%error, path = %self.path.display(), "the write-ahead log stays until the next start");
        }
    }

    /// Does a batch in one transaction.
    fn commit(&mut self, jobs: Vec<Job>) -> Vec<Outcome> {
        let Self { path, connection, ids, last, .. } = self;
        let mut outcomes = Vec::with_capacity(jobs.len());
        let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "no transaction could be begun");
                let error = StoreError::from(error);
                return jobs.into_iter().filter_map(|job| failed(job, &error)).collect();
            }
        };
        let mut added = HashMap::new();
        let mut result = Ok(());
        for job in jobs {
            outcomes.push(match job {
                Job::Append(message, appended) => {
                    let result = append(&transaction, ids, last, &mut added, &message);
                    Outcome::Append(
                        appended,
                        result.map(|stored| (message, stored)).map_err(StoreError::from),
                    )
                }
                Job::Write(work) => {
                    // What it reads has to be what came before it.
                    result = result.and_then(|()| flush(&transaction, last, &mut added));
                    let finish = work(&transaction);
                    Outcome::Write(finish, Ok(()))
                }
            });
        }
        let committed =
            result.and_then(|()| flush(&transaction, last, &mut added)).and_then(|()| transaction.commit());
        if let Err(error) = committed {
            tracing::error!(%error, path = %path.display(), "a batch could not be committed");
            last.clear();
            let error = StoreError::from(error);
            outcomes.iter_mut().for_each(|outcome| outcome.fail(&error));
        }
        if last.len() > REMEMBERED {
            last.clear();
        }
        outcomes
    }
}

/// A job that was not begun. A write that is dropped tells who waits that the store is closed.
fn failed(job: Job, error: &StoreError) -> Option<Outcome> {
    match job {
        Job::Append(_, appended) => Some(Outcome::Append(appended, Err(error.clone()))),
        Job::Write(_) => None,
    }
}

/// Stores a message; the conversation's row follows in [`flush`].
fn append(
    connection: &Connection,
    ids: &IdGenerator,
    last: &mut HashMap<i64, Last>,
    added: &mut HashMap<i64, Added>,
    new: &NewMessage,
) -> rusqlite::Result<Message> {
    let key = new.conversation.key;
    let before = match last.get(&key) {
        Some(last) => *last,
        None => statements::last_of(connection, key)?,
    };
    let side = usize::from(new.conversation.participants[0] != new.sender);
    let message = Message {
        id: ids.next(),
        seq: before.seq + 1,
        sender: new.sender.clone(),
        text: new.text.clone(),
        is_read: false,
        // Time in a conversation does not run backwards, also when the clock is set back.
        sent_at: Timestamp::now().max(before.at),
    };
    statements::insert_message(connection, key, side, &message)?;
    last.insert(key, Last { seq: message.seq, at: message.sent_at });
    added.entry(key).or_default().by[side] += 1;
    Ok(message)
}

/// Brings the rows of the conversations that got messages up to date, one update each.
fn flush(
    connection: &Connection,
    last: &HashMap<i64, Last>,
    added: &mut HashMap<i64, Added>,
) -> rusqlite::Result<()> {
    for (key, added) in added.drain() {
        if let Some(last) = last.get(&key) {
            statements::update_conversation(connection, key, *last, added)?;
        }
    }
    Ok(())
}
