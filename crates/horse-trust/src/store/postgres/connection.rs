//! One connection: how it is made, what it has prepared, and what its errors say.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::settings::{CONNECT_TIMEOUT, Settings};
use crate::store::error::StoreError;

/// The parameters of a statement.
pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection. When it is dropped its socket is closed, whatever it waits for.
pub(super) struct Connection {
    pub(super) client: Client,
    task: JoinHandle<()>,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

impl Connection {
    pub(super) async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let connect = settings.config.connect(settings.tls.clone());
        let (client, connection) =
            timeout(CONNECT_TIMEOUT, connect).await.map_err(|_| no_answer(settings))??;
        let name = Arc::clone(&settings.name);
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(database = %name, error = %describe(&error), "a connection broke off");
            }
        });
        Ok(Self { client, task, statements: Mutex::default() })
    }

    /// Whether the server has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Prepares a statement, once.
    pub(super) async fn prepare(&self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.lock().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().insert(sql, statement.clone());
        Ok(statement)
    }

    /// Runs a statement.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let statement = self.prepare(sql).await?;
        self.client.query(&statement, parameters).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn no_answer(settings: &Settings) -> StoreError {
    StoreError::Engine(format!("{} did not answer in time", settings.name).into())
}

/// What went wrong, with its causes; without what quotes values: the server's details, and its messages about data
/// (class 22 of the SQLSTATE codes).
fn describe(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        if error.code().code().starts_with("22") {
            return format!("the database refused a value ({})", error.code().code());
        }
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Engine(describe(&error).into())
    }
}
