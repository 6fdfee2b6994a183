//! The connections that read, apart from the one that writes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::schema;
use crate::store::error::{Result, StoreError};
use crate::store::turns::{Turn, Turns};

/// How long a read waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// A few connections that only read. A read runs on the runtime's blocking threads and never waits for a
/// commit.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    turns: Turns,
}

/// A connection on loan.
struct Loan {
    readers: Arc<Readers>,
    /// `Some` until it is given back.
    connection: Option<Connection>,
    _turn: Turn,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        // Not read-only: such a connection could not make the shared memory that WAL mode needs.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections = (0..count)
            .map(|_| {
                let connection = Connection::open_with_flags(path, flags)?;
                schema::configure_reader(&connection)?;
                Ok(connection)
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { idle: Mutex::new(connections), turns: Turns::new(count, TURN_TIMEOUT) })
    }

    /// Runs `query` on one of the connections.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.take().await?;
        let loan = Loan { connection: self.idle().pop(), readers: Arc::clone(self), _turn: turn };
        let run = tokio::task::spawn_blocking(move || {
            let connection = loan.connection.as_ref().ok_or_else(StoreError::closed)?;
            Ok(query(connection)?)
        });
        run.await.unwrap_or_else(|error| Err(StoreError::Engine(format!("a read broke off: {error}").into())))
    }

    /// Runs several queries, that all see the same state, on one of the connections.
    pub(super) async fn snapshot<T: Send + 'static>(
        self: &Arc<Self>,
        queries: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read(|connection| {
            // Rolled back at its end: there is nothing to commit.
            let transaction = connection.unchecked_transaction()?;
            queries(&transaction)
        })
        .await
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.readers.idle().extend(self.connection.take());
    }
}
