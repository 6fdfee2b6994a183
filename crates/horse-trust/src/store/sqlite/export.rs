//! The SQL of an export.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::MessageId;
use super::reports;
use super::store::SqliteStore;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::traits::ExportStore;
use crate::store::types::{Block, Conversation, ReportsOfUser, Withdrawn, WithdrawnAt};
use crate::timestamp::Timestamp;

fn last_seen(connection: &Connection, user: &Id) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT at FROM last_seen WHERE user = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()
}

fn blocks_of(
    connection: &Connection,
    user: &Id,
    after: Option<&Id>,
    limit: u32,
) -> rusqlite::Result<Vec<Block>> {
    connection
        .prepare_cached(
            "SELECT blocked, created_at FROM blocks WHERE blocker = ?1 AND blocked > ?2 ORDER BY blocked LIMIT ?3",
        )?
        .query_map(params![user, after.map_or("", Id::as_str), limit], |row| {
            Ok(Block { user: row.get("blocked")?, created_at: row.get("created_at")? })
        })?
        .collect()
}

fn withdrawn_in(
    connection: &Connection,
    conversation: &Conversation,
    after: (i64, i64),
    limit: u32,
) -> rusqlite::Result<Vec<WithdrawnAt>> {
    connection
        .prepare_cached(
            "SELECT w.key, w.seq, w.withdrawn_at, w.is_deleted, w.text, m.id, m.sender
             FROM withdrawn_texts w JOIN messages m ON m.conversation = w.conversation AND m.seq = w.seq
             WHERE w.conversation = ?1 AND w.seq >= ?2 AND (w.seq, w.key) > (?2, ?3) ORDER BY w.seq, w.key LIMIT ?4",
        )?
        .query_map(params![conversation.key, after.0, after.1, limit], |row| {
            let seq = row.get("seq")?;
            let withdrawn = Withdrawn {
                conversation_id: conversation.id.clone(),
                message_id: row.get::<_, MessageId>("id")?.0,
                sender: conversation.sender_at(row.get("sender")?),
                seq,
                withdrawn_at: row.get("withdrawn_at")?,
                is_deleted: row.get("is_deleted")?,
                text: row.get("text")?,
            };
            Ok(((seq, row.get("key")?), withdrawn))
        })?
        .collect()
}

#[async_trait]
impl ExportStore for SqliteStore {
    async fn last_seen(&self, user: &Id) -> Result<Option<Timestamp>> {
        let user = user.clone();
        self.readers.read(move |connection| last_seen(connection, &user)).await
    }

    async fn blocks_of(&self, user: &Id, after: Option<&Id>, limit: u32) -> Result<Vec<Block>> {
        let (user, after) = (user.clone(), after.cloned());
        self.readers.read(move |connection| blocks_of(connection, &user, after.as_ref(), limit)).await
    }

    async fn withdrawn_in(
        &self,
        conversation: &Conversation,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<WithdrawnAt>> {
        let conversation = conversation.clone();
        self.readers.read(move |connection| withdrawn_in(connection, &conversation, after, limit)).await
    }

    async fn reports_of(&self, user: &Id, after: i64, looked_at: u32) -> Result<ReportsOfUser> {
        let user = user.clone();
        self.readers
            .snapshot(move |connection| reports::reports_of(connection, &user, after, looked_at))
            .await
    }
}
