//! Whether this node is alone on the database: an advisory lock of a session. Nodes that share events share the lock; a node
//! that does not holds it alone. The same session looks for nodes that hold up all writes ([`silence`]).

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connection::{Connection, no_answer};
use super::settings::{ANSWER_TIMEOUT, Settings};
use super::silence;
use crate::store::error::Result;

/// How often it is seen to that the lock is there.
const LOOK: Duration = Duration::from_secs(1);

const SHARED: &str = "SELECT pg_try_advisory_lock_shared(1215517812)";
const ALONE: &str = "SELECT pg_try_advisory_lock(1215517812)";

/// Takes the lock; answers the task that keeps it, or `None` if another node's lock is in the way.
pub(super) async fn register(settings: Settings, is_cluster: bool) -> Result<Option<JoinHandle<()>>> {
    let Some(connection) = lock(&settings, is_cluster).await? else { return Ok(None) };
    Ok(Some(tokio::spawn(keep(settings, is_cluster, connection))))
}

pub(super) async fn lock(settings: &Settings, is_cluster: bool) -> Result<Option<Connection>> {
    let connection = Connection::open(settings).await?;
    let answer = connection.query(if is_cluster { SHARED } else { ALONE }, &[]);
    let rows = timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| no_answer(settings))??;
    let is_taken = match rows.first() {
        Some(row) => row.try_get(0)?,
        None => false,
    };
    Ok(is_taken.then_some(connection))
}

/// Takes the lock again when its connection is lost.
async fn keep(settings: Settings, is_cluster: bool, mut connection: Connection) {
    let mut silent = None;
    loop {
        tokio::time::sleep(LOOK).await;
        if !connection.is_closed() {
            silent = silence::look(&connection, &settings, silent).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "whether a node holds up all writes could not be seen");
                None
            });
            continue;
        }
        match lock(&settings, is_cluster).await {
            Ok(Some(new)) => connection = new,
            Ok(None) => tracing::error!(
                database = %settings.name,
                "another node uses the database, and the two do not publish events to each other: set REDIS_URL on all"
            ),
            Err(error) => tracing::warn!(%error, "this node could not register with the database"),
        }
    }
}
