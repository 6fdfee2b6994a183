//! The task that writes what has its turn: one statement or one transaction a batch, in the order in which it was
//! asked for.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Error, Row};

use super::connection::{Connection, no_answer};
use super::job::{Job, Repeated, Request, Statement, Told, requests};
use super::settings::{ANSWER_TIMEOUT, Settings};
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::types::TOLD_AT_ONCE;

/// How many jobs one transaction takes at most.
const BATCH: usize = 512;
/// How many jobs may wait; more fail at once.
const CAPACITY: usize = 100_000;
/// What was queued while a batch waited longer than this, and was not committed, fails with it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A handle on the task.
pub(super) struct Writer {
    /// `None` once it is closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    told: mpsc::UnboundedSender<Vec<Told>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task, and the one that tells what came of each job.
    pub(super) fn start(settings: Settings) -> Self {
        let (jobs, waiting) = mpsc::channel(CAPACITY);
        let (told, batches) = mpsc::unbounded_channel();
        tokio::spawn(tell(batches));
        let task = Task { settings, connection: None, told: told.clone() };
        let task = tokio::spawn(task.run(waiting));
        Self { jobs: Mutex::new(Some(jobs)), told, task: Mutex::new(Some(task)) }
    }

    /// Queues a job. One that is refused fails in its turn, behind what was committed before.
    pub(super) fn push(&self, job: Job) {
        let refused = match self.jobs.lock().as_ref() {
            None => job.fail(StoreError::closed()),
            Some(jobs) => match jobs.try_send(job) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(job)) => {
                    job.fail(StoreError::Engine("too many writes wait for the database".into()))
                }
                Err(mpsc::error::TrySendError::Closed(job)) => job.fail(StoreError::closed()),
            },
        };
        self.tell(refused);
    }

    fn tell(&self, told: Told) {
        if let Err(mpsc::error::SendError(told)) = self.told.send(vec![told]) {
            // Without a runtime there is no turn.
            for told in told {
                told();
            }
        }
    }

    /// Has the task commit what is queued and end; returns when all was told.
    pub(super) async fn close(&self) {
        drop(self.jobs.lock().take());
        let task = self.task.lock().take();
        let Some(task) = task else { return };
        if task.await.is_err() {
            tracing::error!("the store's writer ended in a panic");
        }
        // The task has handed over its last batch; when this is told, all before it was.
        let (sender, receiver) = oneshot::channel();
        self.tell(Box::new(move || drop::<std::result::Result<(), Result<()>>>(sender.send(Ok(())))));
        drop(receiver.await);
    }
}

/// Tells what came of each job, in the order of commits, until the writer and its task are gone.
async fn tell(mut batches: mpsc::UnboundedReceiver<Vec<Told>>) {
    while let Some(batch) = batches.recv().await {
        for (count, told) in batch.into_iter().enumerate() {
            // What was told has to go out, and others have work, too.
            if count % TOLD_AT_ONCE == TOLD_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            // A caller's panic is the caller's: the others are told all the same.
            if catch_unwind(AssertUnwindSafe(told)).is_err() {
                tracing::error!("a panic in what follows a write");
            }
        }
    }
}

/// What the task has.
struct Task {
    settings: Settings,
    /// The one that answered last; one that failed is not used again.
    connection: Option<Connection>,
    told: mpsc::UnboundedSender<Vec<Told>>,
}

impl Task {
    async fn run(mut self, mut waiting: mpsc::Receiver<Job>) {
        let mut jobs = Vec::new();
        while waiting.recv_many(&mut jobs, BATCH).await > 0 {
            let requests = requests(std::mem::take(&mut jobs));
            let begun = Instant::now();
            let (mut told, failure) = self.write(requests).await;
            if let Some(error) = failure.filter(|_| begun.elapsed() > PATIENCE) {
                // Batch after batch, each would wait as long again.
                for _ in 0..waiting.len() {
                    let Ok(job) = waiting.try_recv() else { break };
                    told.push(job.fail(error.clone()));
                }
            }
            if self.told.send(told).is_err() {
                tracing::error!("the runtime ended before the store");
                break;
            }
        }
    }

    /// Commits a batch; answers what is to be told, and why it was not committed if so.
    async fn write(&mut self, requests: Vec<Request>) -> (Vec<Told>, Option<StoreError>) {
        let statements: Vec<_> = requests.iter().map(Request::statement).collect();
        let committed = self.commit(&statements).await;
        drop(statements);
        let mut told = Vec::new();
        let rows = match committed {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, database = %self.settings.name, "a batch was not committed");
                for request in requests {
                    request.fail(&error, &mut told);
                }
                return (told, Some(error));
            }
        };
        let names = Repeated::names(&requests, &rows);
        // What is new was committed: of a failure here only the repeats are told.
        let repeated = self.find(&names).await.unwrap_or_else(|error| {
            tracing::error!(%error, "messages that were sent again were not found");
            Repeated::default()
        });
        drop(names);
        for (request, rows) in requests.into_iter().zip(rows) {
            request.succeed(&rows, &repeated, &mut told);
        }
        (told, None)
    }

    async fn commit(&mut self, statements: &[Option<Statement<'_>>]) -> Result<Vec<Vec<Row>>> {
        let connection = self.connect().await?;
        let rows = self.answer(send(&connection, statements)).await?;
        self.connection = Some(connection);
        Ok(rows)
    }

    async fn find(&mut self, names: &[(&Id, &str)]) -> Result<Repeated> {
        if names.is_empty() {
            return Ok(Repeated::default());
        }
        let connection = self.connect().await?;
        let repeated = self.answer(Repeated::find(&connection, names)).await??;
        self.connection = Some(connection);
        Ok(repeated)
    }

    /// Takes the connection; it is put back when it has answered.
    async fn connect(&mut self) -> Result<Connection> {
        match self.connection.take().filter(|connection| !connection.is_closed()) {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.settings).await,
        }
    }

    async fn answer<T>(&self, answer: impl Future<Output = std::result::Result<T, Error>>) -> Result<T> {
        timeout(ANSWER_TIMEOUT, answer)
            .await
            .map_err(|_| no_answer(&self.settings))?
            .map_err(StoreError::from)
    }
}

/// Does all statements in one transaction, and answers the rows of each.
async fn send(
    connection: &Connection,
    statements: &[Option<Statement<'_>>],
) -> std::result::Result<Vec<Vec<Row>>, Error> {
    let mut count = 0;
    for statement in statements.iter().flatten() {
        connection.prepare(statement.sql).await?;
        count += 1;
    }
    let simple = async |sql: &str| connection.client.batch_execute(sql).await.map(|()| Vec::new());
    let send = async |statement: &Option<Statement<'_>>| match statement {
        Some(statement) => statement.send(connection).await,
        None => Ok(Vec::new()),
    };
    let mut answers: Vec<Answer<'_>> = Vec::with_capacity(statements.len() + 2);
    // The lock comes first, before that of any row. One statement is a transaction by itself.
    let is_single = count <= 1;
    if !is_single {
        answers.push(Box::pin(simple("BEGIN; SELECT lock_writes()")));
    }
    for statement in statements {
        answers.push(Box::pin(send(statement)));
    }
    if !is_single {
        answers.push(Box::pin(simple("COMMIT")));
    }
    let mut rows = in_order(answers).await?;
    if !is_single {
        rows.pop();
        rows.remove(0);
    }
    Ok(rows)
}

/// The rows of a statement that is on its way.
type Answer<'a> = Pin<Box<dyn Future<Output = std::result::Result<Vec<Row>, Error>> + Send + 'a>>;

/// Sends all in this order before the first answer is waited for; fails with the first failure. (COMMIT alone says
/// nothing: of a transaction that failed it makes a ROLLBACK, and succeeds.)
async fn in_order(mut answers: Vec<Answer<'_>>) -> std::result::Result<Vec<Vec<Row>>, Error> {
    let mut early: Vec<_> = answers.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (answer, early) in answers.iter_mut().zip(&mut early) {
            if let Poll::Ready(rows) = answer.as_mut().poll(context) {
                *early = Some(rows);
            }
        }
        Poll::Ready(())
    })
    .await;
    let mut results = Vec::with_capacity(answers.len());
    for (answer, early) in answers.into_iter().zip(early) {
        results.push(match early {
            Some(rows) => rows?,
            None => answer.await?,
        });
    }
    Ok(results)
}
