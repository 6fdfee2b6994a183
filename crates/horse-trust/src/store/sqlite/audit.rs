//! The SQL of the audit.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::store::SqliteStore;
use crate::store::clock::before;
use crate::store::error::Result;
use crate::store::traits::AuditStore;
use crate::store::types::{Actor, AuditEntry, NewAuditEntry};
use crate::timestamp::Timestamp;

/// How many entries one write forgets: messages wait for it.
const FORGOTTEN_AT_ONCE: i64 = 1_000;

pub(super) fn insert(connection: &Connection, entry: &NewAuditEntry) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO audit (at, actor, action, target, details) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            Timestamp::now().0,
            entry.actor.to_column(),
            entry.action,
            entry.target,
            entry.details
        ])
        .map(drop)
}

fn entries(connection: &Connection, before: Option<i64>, limit: u32) -> rusqlite::Result<Vec<AuditEntry>> {
    connection
        .prepare_cached(
            "SELECT number, at, actor, action, target, details FROM audit
             WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
        )?
        .query_map(params![before.unwrap_or(i64::MAX), limit], |row| {
            Ok(AuditEntry {
                number: row.get("number")?,
                at: row.get("at")?,
                actor: Actor::from_column(&row.get::<_, String>("actor")?),
                action: row.get("action")?,
                target: row.get("target")?,
                details: row.get("details")?,
            })
        })?
        .collect()
}

/// Numbers ascend with time, so the oldest are the first.
fn forget(connection: &Connection, kept: Duration) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM audit WHERE number IN (SELECT number FROM audit ORDER BY number LIMIT ?2) AND at < ?1",
        )?
        .execute([before(Timestamp::now(), kept).0, FORGOTTEN_AT_ONCE])
        .map(drop)
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn note_audit(&self, entry: NewAuditEntry) -> Result<()> {
        self.write(move |connection| Ok(insert(connection, &entry)?)).await
    }

    async fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
        self.readers.read(move |connection| entries(connection, before, limit)).await
    }

    async fn forget_audit(&self, kept: Duration) -> Result<()> {
        self.write(move |connection| Ok(forget(connection, kept)?)).await
    }
}
