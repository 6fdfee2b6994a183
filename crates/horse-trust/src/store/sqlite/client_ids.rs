//! The SQL of idempotency keys: which message a sender's `client_id` stands for.

use rusqlite::{Connection, Result, params};

use crate::id::Id;

/// Notes the message of a sender's idempotency key; `false` if the sender has used the key before.
pub(super) fn insert(
    connection: &Connection,
    sender: &Id,
    client_id: &str,
    conversation: i64,
    seq: i64,
) -> Result<bool> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO client_ids (sender, client_id, conversation, seq) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![sender, client_id, conversation, seq])?;
    Ok(inserted == 1)
}

/// Forgets the idempotency key of a message that was not stored.
pub(super) fn forget(connection: &Connection, sender: &Id, client_id: &str) -> Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM client_ids WHERE sender = ?1 AND client_id = ?2 AND NOT EXISTS (
                 SELECT 1 FROM all_messages m WHERE m.conversation = client_ids.conversation AND m.seq = client_ids.seq)",
        )?
        .execute(params![sender, client_id])
        .map(drop)
}
