//! The write that erases a message.

use super::memory::Context;
use super::{append_buffer, messages};
use crate::store::error::Result;
use crate::store::types::{Change, Changed};
use crate::timestamp::Timestamp;

/// Deletes a message, and keeps nothing of what it says or ever said.
pub(super) fn erase(context: &mut Context<'_>, change: &Change) -> Result<Changed> {
    let (conversation, seq) = (&*change.conversation, change.seq);
    let (key, connection) = (conversation.key, context.connection);
    let mut message = messages::message_at(connection, conversation, seq)?;
    append_buffer::flush(connection, key, seq)?;
    connection
        .prepare_cached("DELETE FROM withdrawn_texts WHERE conversation = ?1 AND seq = ?2")?
        .execute([key, seq])?;
    let was_deleted = message.deleted_at.is_some();
    let deleted_at = *message.deleted_at.get_or_insert_with(Timestamp::now);
    connection
        .prepare_cached(
            "UPDATE messages SET text = '', extras = NULL, client_id = NULL, deleted_at = ?3
             WHERE conversation = ?1 AND seq = ?2",
        )?
        .execute([key, seq, deleted_at.0])?;
    message.text.clear();
    message.extras = None;
    message.client_id = None;
    if was_deleted {
        return Ok(Changed::Gone(message));
    }
    let unread = messages::uncount(context, conversation, &message)?;
    Ok(Changed::Done { message, unread })
}
