//! The engine of the group commit: one statement or one transaction a batch, over a connection of its own.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::timeout;
use tokio_postgres::{Error, Row};

use super::batch::{Repeated, Statement, Write, resolve, resolve_early, statements};
use super::connection::{Connection, no_answer};
use super::settings::{ANSWER_TIMEOUT, Settings};
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::group_commit::Engine;
use crate::store::outbox::SharedPlan;

/// The connection that writes in turn.
pub(super) struct PostgresEngine {
    settings: Settings,
    plan: SharedPlan,
    /// The one that answered last; one that failed is not used again.
    connection: Option<Connection>,
}

impl Engine for PostgresEngine {
    type Custom = Infallible;

    fn name(&self) -> String {
        self.settings.name.to_string()
    }

    async fn commit(&mut self, writes: &mut [Write]) -> Result<()> {
        resolve_early(writes);
        let plan = Arc::clone(&self.plan);
        let statements = statements(writes, plan.get());
        if statements.is_empty() {
            return Ok(());
        }
        let rows = self.send(&statements).await?;
        if let Some(plan) = plan.get() {
            plan.note_added();
            plan.after_commit();
        }
        let places: Vec<_> = statements.into_iter().map(|statement| statement.writes).collect();
        let keys = Repeated::keys(writes, &places, &rows);
        // What is new was committed: of a failure here only the repeats fail.
        let repeated = self.find(&keys).await.unwrap_or_else(|error| {
            tracing::error!(%error, "messages that were sent again were not found");
            Repeated::default()
        });
        drop(keys);
        for (places, rows) in places.iter().zip(&rows) {
            resolve(writes, places, rows, &repeated);
        }
        Ok(())
    }

    fn close(self) {}
}

impl PostgresEngine {
    /// Connects when there is something to commit.
    pub(super) fn new(settings: Settings, plan: SharedPlan) -> Self {
        Self { settings, plan, connection: None }
    }

    async fn send(&mut self, statements: &[Statement<'_>]) -> Result<Vec<Vec<Row>>> {
        let connection = self.connect().await?;
        let rows = self.answer(send(&connection, statements)).await?;
        self.connection = Some(connection);
        Ok(rows)
    }

    async fn find(&mut self, keys: &[(&Id, &str)]) -> Result<Repeated> {
        if keys.is_empty() {
            return Ok(Repeated::default());
        }
        let connection = self.connect().await?;
        let repeated = self.answer(Repeated::find(&connection, keys)).await??;
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
    statements: &[Statement<'_>],
) -> std::result::Result<Vec<Vec<Row>>, Error> {
    for statement in statements {
        connection.prepare(statement.sql).await?;
    }
    let simple = async |sql: &str| connection.client.batch_execute(sql).await.map(|()| Vec::new());
    let mut answers: Vec<Answer<'_>> = Vec::with_capacity(statements.len() + 2);
    // The lock comes first, before that of any row. One statement is a transaction by itself.
    let is_single = statements.len() == 1;
    if !is_single {
        answers.push(Box::pin(simple("BEGIN; SELECT lock_writes()")));
    }
    for statement in statements {
        answers.push(Box::pin(statement.send(connection)));
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
