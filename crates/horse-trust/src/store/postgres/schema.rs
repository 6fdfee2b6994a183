//! The versions of the schema.

use std::cmp::Ordering;

use crc::{CRC_64_XZ, Crc};

use super::connection::Connection;
use super::error::OpenError;
use super::settings::Settings;
use crate::store::error::StoreError;

/// The migrations, in order; the schema's version is how many of them were applied.
const MIGRATIONS: [&str; 18] = [
    include_str!("../../../migrations/postgres/0001_initial.sql"),
    include_str!("../../../migrations/postgres/0002_blocks.sql"),
    include_str!("../../../migrations/postgres/0003_clock_and_reading.sql"),
    include_str!("../../../migrations/postgres/0004_visibility.sql"),
    include_str!("../../../migrations/postgres/0005_reports.sql"),
    include_str!("../../../migrations/postgres/0006_deleted_runs.sql"),
    include_str!("../../../migrations/postgres/0007_user_changes.sql"),
    include_str!("../../../migrations/postgres/0008_void_tokens.sql"),
    include_str!("../../../migrations/postgres/0009_functions.sql"),
    include_str!("../../../migrations/postgres/0010_replies.sql"),
    include_str!("../../../migrations/postgres/0011_audit.sql"),
    include_str!("../../../migrations/postgres/0012_message_extras.sql"),
    include_str!("../../../migrations/postgres/0013_report_states.sql"),
    include_str!("../../../migrations/postgres/0014_people.sql"),
    include_str!("../../../migrations/postgres/0015_outbox.sql"),
    include_str!("../../../migrations/postgres/0016_conversation_settings.sql"),
    include_str!("../../../migrations/postgres/0017_erasures.sql"),
    include_str!("../../../migrations/postgres/0018_listings.sql"),
];

/// All views and functions; `migrations/postgres/functions/README.md` says what a change of them has to keep.
const FUNCTIONS: &str = concat!(
    include_str!("../../../migrations/postgres/functions/messages.sql"),
    include_str!("../../../migrations/postgres/functions/conversations.sql"),
    include_str!("../../../migrations/postgres/functions/outbox.sql"),
    include_str!("../../../migrations/postgres/functions/users.sql"),
    include_str!("../../../migrations/postgres/functions/erasure.sql"),
);

/// Raised with each change of [`FUNCTIONS`]: nodes of two versions that start in turns agree on the greater.
const FUNCTIONS_VERSION: i32 = 11;

/// Of the text of [`FUNCTIONS`].
const FUNCTIONS_CHECKSUM: u64 = Crc::<u64>::new(&CRC_64_XZ).checksum(FUNCTIONS.as_bytes());

/// What a database of ours has.
#[derive(Debug)]
struct Found {
    /// How many migrations were applied.
    schema: u32,
    functions_version: i32,
    functions_checksum: String,
}

impl Found {
    /// A node of a lower version leaves the functions as they are. Those of the same version with another text are of a
    /// build in development, and the last one counts.
    fn has_our_functions(&self) -> bool {
        match self.functions_version.cmp(&FUNCTIONS_VERSION) {
            Ordering::Less => false,
            Ordering::Equal => self.functions_checksum == functions_checksum(),
            Ordering::Greater => true,
        }
    }
}

fn functions_checksum() -> String {
    format!("{FUNCTIONS_CHECKSUM:016x}")
}

/// Applies the migrations that are missing, and the functions if they are older than ours, each in a transaction of its
/// own. Nodes that start together take turns.
pub(super) async fn prepare(settings: &Settings) -> Result<(), OpenError> {
    let name = || settings.name.to_string();
    let failed = |source: StoreError| OpenError::Database { database: name(), source };
    let connection = Connection::open(settings).await.map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).expect("there are few migrations");
    let mut found = look(&connection).await.map_err(failed)?;
    if !found.as_ref().is_some_and(|found| found.schema == known && found.has_our_functions()) {
        // The lock ends with the connection.
        execute(&connection, "SELECT pg_advisory_lock(1215517810, 0)").await.map_err(failed)?;
        found = look(&connection).await.map_err(failed)?;
    }
    let schema = match &found {
        Some(found) if found.schema > known => {
            return Err(OpenError::Newer { database: name(), found: found.schema, known });
        }
        Some(found) => found.schema,
        None if has_tables(&connection).await.map_err(failed)? => return Err(OpenError::Foreign(name())),
        None => 0,
    };
    for (version, migration) in (1..).zip(MIGRATIONS).skip(schema as usize) {
        let sql = format!("BEGIN; {migration}; UPDATE horse_trust_schema SET version = {version}; COMMIT");
        execute(&connection, &sql).await.map_err(failed)?;
    }
    if !found.is_some_and(|found| found.has_our_functions()) {
        let checksum = functions_checksum();
        let sql = format!(
            "BEGIN; {FUNCTIONS};
             UPDATE horse_trust_schema
             SET functions_version = {FUNCTIONS_VERSION}, functions_checksum = '{checksum}'; COMMIT"
        );
        execute(&connection, &sql).await.map_err(failed)?;
    }
    execute(&connection, CONTINUE_IDS).await.map_err(failed)
}

/// Checks that the server could use the database at `url`, or make its tables there, and says which. Nothing is changed.
pub async fn check(url: &str) -> Result<String, OpenError> {
    let settings = Settings::parse(url)?.for_pool();
    let name = || settings.name.to_string();
    let failed = |source: StoreError| OpenError::Database { database: name(), source };
    let connection = Connection::open(&settings).await.map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).expect("there are few migrations");
    match look(&connection).await.map_err(failed)? {
        Some(Found { schema: found, .. }) if found > known => {
            Err(OpenError::Newer { database: name(), found, known })
        }
        Some(Found { schema: found, .. }) => Ok(format!("{}: schema {found} of {known}", settings.name)),
        None if has_tables(&connection).await.map_err(failed)? => Err(OpenError::Foreign(name())),
        None => Ok(format!("{} answers, and has no tables yet", settings.name)),
    }
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

/// What the database has, if it is one of ours. Before the migration that adds them there are no columns about functions.
async fn look(connection: &Connection) -> Result<Option<Found>, StoreError> {
    let exists = connection.client.query_one("SELECT to_regclass('horse_trust_schema') IS NOT NULL", &[]);
    if !exists.await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let sql =
        "SELECT version, coalesce((to_jsonb(s) ->> 'functions_version')::integer, 0) AS functions_version,
            coalesce(to_jsonb(s) ->> 'functions_checksum', '') AS functions_checksum
        FROM horse_trust_schema s";
    let row = connection.client.query_one(sql, &[]).await?;
    Ok(Some(Found {
        schema: u32::try_from(row.try_get::<_, i32>("version")?).unwrap_or(0),
        functions_version: row.try_get("functions_version")?,
        functions_checksum: row.try_get("functions_checksum")?,
    }))
}

/// Whether there are tables where ours would be made.
async fn has_tables(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (
        SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p'))";
    Ok(connection.client.query_one(sql, &[]).await?.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change is a new version: some database may have the functions of the last one.
    #[test]
    fn a_change_of_the_functions_raises_their_version() {
        let noted = (11, 0xd8aa_4797_3e50_fbb7);
        assert_eq!(
            (FUNCTIONS_VERSION, FUNCTIONS_CHECKSUM),
            noted,
            "raise the version; {FUNCTIONS_CHECKSUM:#x}"
        );
    }
}
