//! What the store keeps, as the admin API shows it.

use crate::chat;
use crate::chat::view::actor;
use crate::contract::{AuditActor, AuditEntry, Person};
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

/// An account.
pub fn person(person: &store::Person) -> Person<'_> {
    let user = &person.user;
    Person {
        id: &user.profile.id,
        full_name: user.profile.full_name.as_deref(),
        profile_picture_url: user.profile.profile_picture_url.as_deref(),
        email: user.email.as_deref(),
        phone: user.phone.as_deref(),
        role: user.role.name(),
        is_active: user.is_active,
        created_at: user.created_at,
        suspension: person.suspension.as_ref().map(chat::view::suspension),
        is_deleted: user.profile.is_deleted,
    }
}
