//! The versions of the schema.

use super::connection::Connection;
use super::error::OpenError;
use super::settings::Settings;
use crate::store::error::StoreError;

/// The migrations, in order; the schema's version is how many of them were applied.
const MIGRATIONS: [&str; 8] = [
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_blocks.sql"),
    include_str!("../../../migrations/postgres/0003_clock_and_reading.sql"),
    include_str!("../../../migrations/postgres/0004_visibility.sql"),
    include_str!("../../../migrations/postgres/0005_reports.sql"),
    include_str!("../../../migrations/postgres/0006_deleted_runs.sql"),
    include_str!("../../../migrations/postgres/0007_user_changes.sql"),
    include_str!("../../../migrations/postgres/0008_void_tokens.sql"),
];

/// Applies what is missing, each migration in a transaction of its own. Nodes that start together take turns.
pub(super) async fn prepare(settings: &Settings) -> Result<(), OpenError> {
    let name = || settings.name.to_string();
    let failed = |source: StoreError| OpenError::Database { database: name(), source };
    let connection = Connection::open(settings).await.map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).expect("there are few migrations");
    let mut found = version(&connection).await.map_err(failed)?;
    if found != Some(known) {
        // The lock ends with the connection.
        execute(&connection, "SELECT pg_advisory_lock(1215517810, 0)").await.map_err(failed)?;
        found = version(&connection).await.map_err(failed)?;
    }
    let found = match found {
        Some(found) if found > known => return Err(OpenError::Newer { database: name(), found, known }),
        Some(found) => found,
        None if has_tables(&connection).await.map_err(failed)? => return Err(OpenError::Foreign(name())),
        None => 0,
    };
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let sql = format!("BEGIN; {migration}; UPDATE horse_trust_schema SET version = {version}; COMMIT");
        execute(&connection, &sql).await.map_err(failed)?;
    }
    execute(&connection, CONTINUE_IDS).await.map_err(failed)
}

/// Has new ids sort behind those that an import brought, but for those whose time (from 2097) was made up.
const CONTINUE_IDS: &str = "
    UPDATE message_ids SET last = greatest(last, n.number) FROM (
        SELECT ((('x' || left(id, 8))::bit(32)::bigint + 1) << 24) - 1 AS number, substr(id, 9, 10) AS origin
        FROM messages WHERE id < 'f0000000' AND id ~ '^[0-9a-f]{24}$' ORDER BY id DESC LIMIT 1
    ) n WHERE n.number > last AND n.origin <> message_ids.origin";

async fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    Ok(connection.client.batch_execute(sql).await?)
}

/// The schema's version, if it is one of ours.
async fn version(connection: &Connection) -> Result<Option<u32>, StoreError> {
    let exists = connection.client.query_one("SELECT to_regclass('horse_trust_schema') IS NOT NULL", &[]);
    if !exists.await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = connection.client.query_one("SELECT version FROM horse_trust_schema", &[]).await?;
    Ok(Some(u32::try_from(row.try_get::<_, i32>(0)?).unwrap_or(0)))
}

/// Whether there are tables where ours would be made.
async fn has_tables(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (
        SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p'))";
    Ok(connection.client.query_one(sql, &[]).await?.try_get(0)?)
}
