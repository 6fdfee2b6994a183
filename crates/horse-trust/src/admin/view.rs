//! What the store keeps, as the admin API shows it.

use crate::chat::view::actor;
use crate::contract::{AuditActor, AuditEntry};
use crate::store;

/// A change that was noted.
pub fn audit_entry(entry: &store::AuditEntry) -> AuditEntry<'_> {
    let details = entry.details.as_deref().and_then(|details| serde_json::from_str(details).ok());
    AuditEntry {
        id: entry.number.to_string(),
        at: entry.at,
        by: entry.actor.as_ref().map_or(AuditActor { key: None, user_id: None }, actor),
        action: &entry.action,
        target: entry.target.as_ref(),
        details,
    }
}
