//! The SQL of an export.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::message::sender_at;
use super::reports;
use super::store::PostgresStore;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::traits::ExportStore;
use crate::store::types::{Block, Conversation, ReportsOfUser, Withdrawn, WithdrawnAt};
use crate::timestamp::Timestamp;

#[async_trait]
impl ExportStore for PostgresStore {
    async fn last_seen(&self, user: &Id) -> Result<Option<Timestamp>> {
        let rows = self.pool.query("SELECT at FROM last_seen WHERE user_id = $1", &[user]).await?;
        rows.first().map(|row| Ok(row.try_get(0)?)).transpose()
    }

    async fn blocks_of(&self, user: &Id, after: Option<&Id>, limit: u32) -> Result<Vec<Block>> {
        let sql = "SELECT blocked, created_at FROM blocks WHERE blocker = $1 AND blocked > $2
            ORDER BY blocked LIMIT $3";
        let after = after.map_or("", Id::as_str);
        let read =
            |row: &Row| Ok(Block { user: row.try_get("blocked")?, created_at: row.try_get("created_at")? });
        self.pool.query(sql, &[user, &after, &i64::from(limit)]).await?.iter().map(read).collect()
    }

    async fn withdrawn_in(
        &self,
        conversation: &Conversation,
        after: (i64, i64),
        limit: u32,
    ) -> Result<Vec<WithdrawnAt>> {
        let sql = "
            SELECT w.key, w.seq, w.withdrawn_at, w.is_deleted, w.text, m.id, m.sender
            FROM withdrawn_texts w JOIN messages m ON m.conversation = w.conversation AND m.seq = w.seq
            WHERE w.conversation = $1 AND w.seq >= $2 AND (w.seq, w.key) > ($2, $3) ORDER BY w.seq, w.key LIMIT $4";
        let read = |row: &Row| {
            let seq = row.try_get("seq")?;
            let withdrawn = Withdrawn {
                conversation_id: conversation.id.clone(),
                message_id: row.try_get("id")?,
                sender: sender_at(conversation, row.try_get("sender")?),
                seq,
                withdrawn_at: row.try_get("withdrawn_at")?,
                is_deleted: row.try_get("is_deleted")?,
                text: row.try_get("text")?,
            };
            Ok(((seq, row.try_get("key")?), withdrawn))
        };
        let rows = self.pool.query(sql, &[&conversation.key, &after.0, &after.1, &i64::from(limit)]).await?;
        rows.iter().map(read).collect()
    }

    async fn reports_of(&self, user: &Id, after: i64, looked_at: u32) -> Result<ReportsOfUser> {
        reports::reports_of(&self.pool, user, after, looked_at).await
    }
}
