//! The append buffer: where messages lie before they are moved to their conversation.
//!
//! Among the others, which lie by conversation, each message of a batch would dirty a page of its own, and split it
//! often, as it goes to the end of a range in the middle of the table: two pages a message, each of which is written
//! to the log. So a message first goes into a small table in the order of arrival, where a batch dirties a page or
//! two. There are two such tables. While one fills, what is in the other is moved to where it belongs, the messages of
//! a conversation together, some with each batch, so that none takes long; then it is emptied at once.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params_from_iter};

use super::message::{self, STORED};
use super::statements::execute;
use crate::store::types::Message;

type Result<T> = rusqlite::Result<T>;

/// How many messages a table takes before the other does.
const FULL: usize = 1024;
/// How many are moved with a batch, at least; twice as many as it adds, so that the other is empty in time.
const MOVED: usize = 16;

const TABLES: [&str; 2] = ["recent_a", "recent_b"];

/// A conversation and a sequence number.
type Place = (i64, i64);

/// How far the tables are; both are empty at first. Counts only if the transaction is committed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AppendBuffer {
    /// Which table fills.
    filling: usize,
    /// How many messages were put into it.
    count: usize,
    /// Up to where the other was moved, if it is not empty.
    moved: Option<Place>,
}

impl AppendBuffer {
    /// Stores a message.
    pub(super) fn insert(
        &mut self,
        connection: &Connection,
        conversation: i64,
        sender: u8,
        message: &Message,
    ) -> Result<()> {
        message::insert(connection, self.filling, conversation, sender, message)?;
        self.count += 1;
        Ok(())
    }

    /// Moves some messages of the other table; to be called with each batch, which adds `added`.
    pub(super) fn advance(&mut self, connection: &Connection, added: usize) -> Result<()> {
        if let Some(after) = self.moved {
            self.moved = move_some(connection, TABLES[1 - self.filling], after, MOVED.max(2 * added))?;
        } else if self.count >= FULL {
            *self = Self { filling: 1 - self.filling, count: 0, moved: Some((i64::MIN, 0)) };
        }
        Ok(())
    }
}

/// Moves `count` messages, or what there is, behind `after`; answers up to where, or `None` if the table is empty now.
fn move_some(connection: &Connection, table: &str, after: Place, count: usize) -> Result<Option<Place>> {
    let last = connection
        .prepare_cached(&format!(
            "SELECT conversation, seq FROM {table} WHERE (conversation, seq) > (?1, ?2)
             ORDER BY conversation, seq LIMIT 1 OFFSET ?3"
        ))?
        .query_row((after.0, after.1, count.saturating_sub(1)), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let end = last.unwrap_or((i64::MAX, i64::MAX));
    // `OR FAIL`, as else SQLite keeps a copy of each page that this changes, in a file if they are many. Should it
    // fail half-way nothing is lost: what was moved is still in the table, too, and counts once.
    connection
        .prepare_cached(&format!(
            "INSERT OR FAIL INTO messages ({STORED}) SELECT {STORED} FROM {table}
             WHERE (conversation, seq) > (?1, ?2) AND (conversation, seq) <= (?3, ?4) ORDER BY conversation, seq"
        ))?
        .execute([after.0, after.1, end.0, end.1])?;
    if last.is_none() {
        execute(connection, &format!("DELETE FROM {table}"))?;
    }
    Ok(last)
}

/// Moves one message, so that it can be changed. Within a transaction.
pub(super) fn flush(connection: &Connection, conversation: i64, seq: i64) -> Result<()> {
    flush_where(connection, "conversation = ?1 AND seq = ?2", &[conversation, seq])
}

/// Moves everything.
pub(super) fn flush_all(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    flush_where(&transaction, "true", &[])?;
    transaction.commit()
}

fn flush_where(connection: &Connection, condition: &str, parameters: &[i64]) -> Result<()> {
    for table in TABLES {
        let insert = format!(
            "INSERT INTO messages ({STORED}) SELECT {STORED} FROM {table} r WHERE {condition} AND NOT EXISTS (
                 SELECT 1 FROM messages m WHERE m.conversation = r.conversation AND m.seq = r.seq)
             ORDER BY conversation, seq"
        );
        for sql in [insert, format!("DELETE FROM {table} WHERE {condition}")] {
            connection.prepare_cached(&sql)?.execute(params_from_iter(parameters))?;
        }
    }
    Ok(())
}
