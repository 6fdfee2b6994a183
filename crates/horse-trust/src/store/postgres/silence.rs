//! Ends writers that hold the lock of all writes and have fallen silent.
//!
//! The server has a time limit for a statement and for an idle transaction, but none between the Execute and the Sync of
//! the extended protocol: there a node that was stopped, or a proxy that takes no more, holds the lock for as long as its
//! TCP connection answers. So each node looks once a second at who holds the lock, and ends the session that waited for
//! its client, in the same transaction, both times in a row. Its batch is rolled back, and
//! clients send again what was not acknowledged.

use tokio::time::timeout;

use super::connection::{Connection, no_answer};
use super::settings::{ANSWER_TIMEOUT, Settings};
use crate::store::error::Result;

/// A session that holds the lock of all writes while it waits for its client: its process, and when its transaction began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silent {
    process: i32,
    since: String,
}

/// The key of the lock is that of `lock_writes`. Sessions of another user of the database show no `wait_event`.
macro_rules! silent {
    ($what:literal, $which:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'advisory' AND l.classid = 1215517810 AND l.objid = 1 AND l.granted
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND a.wait_event_type = 'Client' AND a.xact_start IS NOT NULL",
            $which
        )
    };
}

const FIND: &str = silent!("a.pid, a.xact_start::text", "");
const END: &str = silent!("pg_terminate_backend(a.pid)", " AND a.pid = $1 AND a.xact_start::text = $2");

/// Looks who holds the lock and is silent; ends the session if it was `seen` before.
pub(super) async fn look(
    connection: &Connection,
    settings: &Settings,
    seen: Option<Silent>,
) -> Result<Option<Silent>> {
    let rows =
        timeout(ANSWER_TIMEOUT, connection.query(FIND, &[])).await.map_err(|_| no_answer(settings))??;
    let Some(row) = rows.first() else { return Ok(None) };
    let found = Silent { process: row.try_get(0)?, since: row.try_get(1)? };
    if seen.as_ref() == Some(&found) {
        let (process, since) = (found.process, &found.since);
        let ended = timeout(ANSWER_TIMEOUT, connection.query(END, &[&process, since])).await;
        if !ended.map_err(|_| no_answer(settings))??.is_empty() {
            tracing::warn!(database = %settings.name, process, "a silent session held up all writes, and was ended");
        }
    }
    Ok(Some(found))
}
