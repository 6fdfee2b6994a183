//! The SQL of a user's list of conversations.

use rusqlite::{Connection, params};

use super::statements;
use crate::id::Id;
use crate::store::lists::{ListPlace, ListQuery};
use crate::store::types::ConversationSummary;
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// The places of the conversations that `user` sees, newest first. It reads a few integers of each, and sorts them: the
/// rest is read by [`summaries`] for what is shown.
pub(super) fn list(connection: &Connection, user: &Id, query: ListQuery) -> Result<Vec<ListPlace>> {
    let [before, key] = query.before();
    connection
        .prepare_cached(
            "SELECT key, updated_at FROM (
                 SELECT key, updated_at, unread_a AS unread FROM conversations
                 WHERE user_a = ?1 AND (last_seq > 0 OR hidden_from IS NOT 0)
                 UNION ALL
                 SELECT key, updated_at, unread_b FROM conversations
                 WHERE user_b = ?1 AND user_a <> ?1 AND (last_seq > 0 OR hidden_from IS NOT 1))
             WHERE (unread > 0 OR NOT ?2) AND (updated_at, key) < (?3, ?4)
             ORDER BY updated_at DESC, key DESC LIMIT ?5",
        )?
        .query_map(params![user, query.only_unread, before, key, query.limit()], |row| {
            Ok(ListPlace { key: row.get(0)?, updated_at: Timestamp(row.get(1)?) })
        })?
        .collect()
}

/// These conversations as `user`'s list shows them, in the order of `keys`; what is gone is left out.
pub(super) fn summaries(
    connection: &Connection,
    keys: &[i64],
    user: &Id,
) -> Result<Vec<ConversationSummary>> {
    let each = keys.iter().map(|key| statements::conversation_summary(connection, *key, user));
    each.filter_map(Result::transpose).collect()
}
