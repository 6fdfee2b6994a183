//! The SQL of the audit.

use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::Row;

use super::store::PostgresStore;
use crate::store::clock::milliseconds;
use crate::store::error::Result;
use crate::store::traits::AuditStore;
use crate::store::types::{Actor, AuditEntry, NewAuditEntry};

/// How many entries one statement forgets: well within the time that it has.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

#[async_trait]
impl AuditStore for PostgresStore {
    async fn note_audit(&self, entry: NewAuditEntry) -> Result<()> {
        let sql = "INSERT INTO audit (actor, action, target, details) VALUES ($1, $2, $3, $4)";
        let (actor, details) = (entry.actor.to_column(), entry.details.as_deref());
        self.pool.query(sql, &[&actor, &entry.action, &entry.target, &details]).await.map(drop)
    }

    async fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
        let sql = "SELECT number, at, actor, action, target, details FROM audit
            WHERE number < $1 ORDER BY number DESC LIMIT $2";
        let rows = self.pool.query(sql, &[&before.unwrap_or(i64::MAX), &i64::from(limit)]).await?;
        rows.iter().map(read_entry).collect()
    }

    /// Numbers ascend with time, so the oldest are the first.
    async fn forget_audit(&self, kept: Duration) -> Result<()> {
        let sql = "DELETE FROM audit WHERE number IN (SELECT number FROM audit ORDER BY number LIMIT $2)
            AND at < now_ms() - $1";
        self.pool.query(sql, &[&milliseconds(kept), &FORGOTTEN_AT_ONCE]).await.map(drop)
    }
}

fn read_entry(row: &Row) -> Result<AuditEntry> {
    Ok(AuditEntry {
        number: row.try_get("number")?,
        at: row.try_get("at")?,
        actor: Actor::from_column(row.try_get("actor")?),
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        details: row.try_get("details")?,
    })
}
