//! Erasures. What was erased is gone for every reader at once; its bytes leave the files of the database as the operator
//! has it vacuumed (`docs/operations.md`).

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::store::PostgresStore;
use crate::id::Id;
use crate::store::error::Result;
use crate::store::traits::ErasureStore;
use crate::store::types::{Conversation, Erasure, ErasurePart, NewAuditEntry};

/// How many sequence numbers of a conversation a part has.
const PART: i64 = 500;
/// How many rows of a table one statement erases.
const ERASED_AT_ONCE: i64 = 500;

/// Also answers how many rows of each table were erased, so that it is known whether there are more.
const ERASE_ROWS: &str = "
    WITH keys AS (
        DELETE FROM client_ids WHERE (sender, client_id) IN (
            SELECT sender, client_id FROM client_ids WHERE sender = $1 LIMIT $3) RETURNING 1),
    unblocked AS (
        DELETE FROM blocks WHERE (blocker, blocked) IN (
            SELECT blocker, blocked FROM blocks WHERE blocker = $1 LIMIT $3) RETURNING 1),
    seen AS (DELETE FROM last_seen WHERE user_id = $1),
    reports AS (
        UPDATE reports SET text = CASE WHEN sender = $1 THEN '' ELSE text END, reason = '', note = NULL WHERE $2 AND key IN (
            SELECT key FROM reports WHERE sender = $1 AND (text <> '' OR reason <> '' OR note IS NOT NULL)
            UNION SELECT key FROM reports WHERE reporter = $1 AND (reason <> '' OR note IS NOT NULL) LIMIT $3) RETURNING 1)
    SELECT greatest((SELECT count(*) FROM keys), (SELECT count(*) FROM unblocked), (SELECT count(*) FROM reports))";

#[async_trait]
impl ErasureStore for PostgresStore {
    async fn begin_erasure(&self, user: &Id, with_messages: bool, audit: NewAuditEntry) -> Result<bool> {
        let (actor, details) = (audit.actor.to_column(), audit.details.as_deref());
        let sql = "SELECT begin_erasure($1, $2, $3, $4, $5)";
        let rows = self.pool.query(sql, &[user, &with_messages, &actor, &audit.action, &details]).await?;
        rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
    }

    async fn erasures(&self) -> Result<Vec<Erasure>> {
        let rows = self
            .pool
            .query("SELECT user_id, with_messages, begun_at FROM erasures ORDER BY user_id", &[])
            .await?;
        let read = |row: &Row| {
            let (user, with_messages) = (row.try_get("user_id")?, row.try_get("with_messages")?);
            Ok(Erasure { user, with_messages, begun_at: row.try_get("begun_at")?, is_done: false })
        };
        rows.iter().map(read).collect()
    }

    async fn all_conversations_of(&self, user: &Id) -> Result<Vec<Id>> {
        let sql = "SELECT id FROM conversations WHERE user_a = $1 OR user_b = $1";
        self.pool.query(sql, &[user]).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn erase_part(
        &self,
        conversation: &Conversation,
        after: i64,
        erasure: &Erasure,
    ) -> Result<ErasurePart> {
        let sql = "
            WITH withdrawn AS (
                DELETE FROM withdrawn_texts w USING messages m
                WHERE w.conversation = $1 AND w.seq > $2 AND w.seq <= $3
                    AND m.conversation = w.conversation AND m.seq = w.seq AND m.sender = $4),
            watched AS (DELETE FROM unseen WHERE conversation = $1 AND side = $4),
            snapshot AS (
                UPDATE imported_last_messages SET text = '' WHERE $5 AND conversation = $1 AND sender = $6 AND text <> '')
            SELECT c.last_seq, array(
                SELECT m.seq FROM messages m WHERE $5 AND m.conversation = $1 AND m.seq > $2 AND m.seq <= $3
                    AND m.sender = $4 AND m.sent_at <= $7
                    AND (m.deleted_at IS NULL OR m.text <> '' OR m.client_id IS NOT NULL OR m.extras IS NOT NULL)
                ORDER BY m.seq)
            FROM conversations c WHERE c.key = $1";
        let side = i16::from(conversation.require_side_of(&erasure.user)? == 1);
        let end = after + PART;
        let Erasure { user, with_messages, .. } = erasure;
        let until = erasure.until();
        let values: [&(dyn ToSql + Sync); 7] =
            [&conversation.key, &after, &end, &side, with_messages, user, &until];
        let rows = self.pool.query(sql, &values).await?;
        let Some(row) = rows.first() else { return Ok(ErasurePart::default()) };
        let last_seq: i64 = row.try_get(0)?;
        Ok(ErasurePart { messages: row.try_get(1)?, next: (end < last_seq).then_some(end) })
    }

    async fn erase_rows(&self, erasure: &Erasure) -> Result<bool> {
        let Erasure { user, with_messages, .. } = erasure;
        let rows = self.pool.query(ERASE_ROWS, &[user, with_messages, &ERASED_AT_ONCE]).await?;
        let most: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(most >= ERASED_AT_ONCE)
    }

    async fn finish_erasures(&self, erasures: &[Erasure]) -> Result<bool> {
        // One that was begun anew meanwhile goes on.
        let sql = "DELETE FROM erasures WHERE user_id = $1 AND with_messages = $2 AND begun_at = $3";
        for Erasure { user, with_messages, begun_at, .. } in erasures {
            self.pool.query(sql, &[user, with_messages, &begun_at.0]).await?;
        }
        Ok(true)
    }
}
