//! How connections are set up, and the versions of the schema.

use std::time::Duration;

use rusqlite::Connection;

use super::append_buffer;

/// The migrations, in order; the schema's version is how many of them were applied.
pub(super) const MIGRATIONS: [&str; 18] = [
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_delivery.sql"),
    include_str!("../../../migrations/sqlite/0003_recent.sql"),
    include_str!("../../../migrations/sqlite/0004_visibility.sql"),
    include_str!("../../../migrations/sqlite/0005_reports.sql"),
    include_str!("../../../migrations/sqlite/0006_deleted_runs.sql"),
    include_str!("../../../migrations/sqlite/0007_user_changes.sql"),
    include_str!("../../../migrations/sqlite/0008_void_tokens.sql"),
    include_str!("../../../migrations/sqlite/0009_conversations_of_pairs.sql"),
    include_str!("../../../migrations/sqlite/0010_replies.sql"),
    include_str!("../../../migrations/sqlite/0011_audit.sql"),
    include_str!("../../../migrations/sqlite/0012_message_extras.sql"),
    include_str!("../../../migrations/sqlite/0013_report_states.sql"),
    include_str!("../../../migrations/sqlite/0014_people.sql"),
    include_str!("../../../migrations/sqlite/0015_outbox.sql"),
    include_str!("../../../migrations/sqlite/0016_conversation_settings.sql"),
    include_str!("../../../migrations/sqlite/0017_erasures.sql"),
    include_str!("../../../migrations/sqlite/0018_listings.sql"),
];

/// How long a statement waits for a lock that another program (an operator's `sqlite3`) holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Marks a file as ours, in its header.
pub(super) const APPLICATION_ID: u32 = u32::from_be_bytes(*b"HsTr");

pub(super) enum SchemaError {
    Sqlite(rusqlite::Error),
    /// The file is another program's.
    Foreign,
    Newer {
        found: u32,
        known: u32,
    },
}

impl From<rusqlite::Error> for SchemaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The writer syncs the WAL at each commit: what is committed survives a power cut.
fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    // What is deleted, also by moving it out of the append buffer, is overwritten, so that an erasure leaves no copy.
    connection.pragma_update(None, "secure_delete", "ON")?;
    // Enough for what is written to just now. SQLite looks through the whole cache at the end of each transaction in
    // which it has split a page, so with four times as much a message costs some per cent more.
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// As the writer, it syncs what it copies before the log is begun anew.
pub(super) fn configure_checkpointer(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

pub(super) fn configure_reader(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Applies what is missing, each migration in a transaction of its own; before that, nothing is written to
/// a file that is not ours or is too new.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), SchemaError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let application: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let is_empty: bool =
        connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && !is_empty {
        return Err(SchemaError::Foreign);
    }
    let known = u32::try_from(MIGRATIONS.len()).expect("there are few migrations");
    if found > known {
        return Err(SchemaError::Newer { found, known });
    }
    configure_writer(connection)?;
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    append_buffer::flush_all(connection)?;
    Ok(())
}
