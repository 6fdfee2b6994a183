//! The connections that read, apart from the one that writes.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::{closed, schema};
use crate::store::Result;

/// A few read-only connections. A read runs on the runtime's blocking threads and never waits for a commit.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections = (0..count)
            .map(|_| {
                let connection = Connection::open_with_flags(path, flags)?;
                schema::configure_reader(&connection)?;
                Ok(connection)
            })
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Self { idle: Mutex::new(connections), places: Arc::new(Semaphore::new(count)) })
    }

    /// Runs `query` on one of the connections.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let readers = Arc::clone(self);
        let connection = readers.take().ok_or_else(closed)?;
        let run = tokio::task::spawn_blocking(move || {
            let result = query(&connection);
            readers.give_back(connection);
            // Kept until here, also if nobody waits for the result any more.
            drop(place);
            result
        });
        Ok(run.await.map_err(|_| closed())??)
    }

    fn take(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}
