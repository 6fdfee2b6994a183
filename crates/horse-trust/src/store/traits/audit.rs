//! The audit of what admins and the platform changed.

use std::time::Duration;

use async_trait::async_trait;

use crate::store::error::Result;
use crate::store::types::{AuditEntry, NewAuditEntry};

/// The audit of what admins and the platform changed. A method that makes such a change takes its entry, and stores it in
/// the same transaction; [`AuditStore::note_audit`] is for changes that are no transaction of their own.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Notes a change.
    async fn note_audit(&self, entry: NewAuditEntry) -> Result<()>;

    /// Entries, newest first, at most `limit`: those with a lower number than `before`, or the newest.
    async fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>>;

    /// Removes entries that are older than `kept`, by the store's clock.
    async fn forget_audit(&self, kept: Duration) -> Result<()>;
}
