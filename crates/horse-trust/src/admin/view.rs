//! What the store keeps, as the admin API shows it.

use crate::contract::{AuditActor, AuditEntry};
use crate::store::{self, Actor};

/// A change that was noted.
pub fn audit_entry(entry: &store::AuditEntry) -> AuditEntry<'_> {
    let details = entry.details.as_deref().and_then(|details| serde_json::from_str(details).ok());
    AuditEntry {
        id: entry.number.to_string(),
        at: entry.at,
        by: match &entry.actor {
            Some(Actor::Key(number)) => AuditActor { key: Some(*number), user_id: None },
            Some(Actor::User(id)) => AuditActor { key: None, user_id: Some(id) },
            None => AuditActor { key: None, user_id: None },
        },
        action: &entry.action,
        target: entry.target.as_ref(),
        details,
    }
}
