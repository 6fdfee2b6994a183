//! A few connections for reads and single writes.

use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_postgres::Row;

use super::connection::{Connection, Parameters, no_answer};
use super::settings::{ANSWER_TIMEOUT, Settings, TURN_TIMEOUT};
use crate::store::error::Result;
use crate::store::turns::Turns;

/// How many connections there are at most, beside the writer's.
const CONNECTIONS: usize = 8;

/// Connections that are made when they are needed and kept as long as they work.
pub(super) struct Pool {
    settings: Settings,
    idle: Mutex<Vec<Connection>>,
    turns: Turns,
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, idle: Mutex::default(), turns: Turns::new(CONNECTIONS, TURN_TIMEOUT) }
    }

    /// Runs a statement that is a transaction of its own. A connection that failed, or whose caller no longer
    /// waits, is not used again.
    pub(super) async fn query(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let _turn = self.turns.take().await?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => Connection::open(&self.settings).await?,
        };
        match timeout(ANSWER_TIMEOUT, connection.query(sql, parameters)).await {
            Ok(Ok(rows)) => {
                self.idle.lock().push(connection);
                Ok(rows)
            }
            Ok(Err(error)) => {
                if error.as_db_error().is_none() {
                    // The others lead to the same place.
                    self.idle.lock().clear();
                }
                Err(error.into())
            }
            Err(_) => {
                self.idle.lock().clear();
                Err(no_answer(&self.settings))
            }
        }
    }

    /// Closes the connections; nothing can be asked any more.
    pub(super) fn close(&self) {
        self.turns.close();
        self.idle.lock().clear();
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }
}
