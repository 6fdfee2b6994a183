//! Erasures. The writer has `secure_delete` on, so what is deleted is overwritten. At the end what SQLite leaves in unused
//! bytes is overwritten as well (`scrub`), and the log is emptied.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::store::SqliteStore;
use super::{audit, checkpoint, scrub, standing};
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::traits::ErasureStore;
use crate::store::types::{Conversation, Erasure, ErasurePart, NewAuditEntry};
use crate::timestamp::Timestamp;

/// How many sequence numbers of a conversation a part has.
const PART: i64 = 500;
/// How many rows of a table one write erases: messages wait for it.
const ERASED_AT_ONCE: usize = 200;

fn begin(
    connection: &Connection,
    user: &Id,
    with_messages: bool,
    entry: &NewAuditEntry,
) -> rusqlite::Result<bool> {
    let now = Timestamp::now().0;
    let is_known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1)
             OR EXISTS (SELECT 1 FROM conversations WHERE user_a = ?1)
             OR EXISTS (SELECT 1 FROM conversations WHERE user_b = ?1)
             OR EXISTS (SELECT 1 FROM suspensions WHERE user = ?1)
             OR EXISTS (SELECT 1 FROM blocks WHERE blocker = ?1)",
        [user],
        |row| row.get(0),
    )?;
    if !is_known {
        return Ok(false);
    }
    connection.execute(
        "INSERT INTO users (id, password_hash, role, is_active, created_at, erased_at)
         VALUES (?1, '', 'seller', 1, ?2, ?2)
         ON CONFLICT (id) DO UPDATE SET email = NULL, password_hash = excluded.password_hash, role = excluded.role,
             full_name = NULL, phone = NULL, profile_picture_url = NULL, is_active = excluded.is_active,
             created_at = excluded.created_at, erased_at = excluded.erased_at",
        params![user, now],
    )?;
    standing::revoke_tokens(connection, user)?;
    connection.execute("DELETE FROM suspensions WHERE user = ?1", [user])?;
    connection.execute(
        "INSERT INTO erasures (user, with_messages, begun_at, is_done) VALUES (?1, ?2, ?3, FALSE)
         ON CONFLICT DO UPDATE SET with_messages = max(with_messages, excluded.with_messages),
             begun_at = excluded.begun_at, is_done = FALSE",
        params![user, with_messages, now],
    )?;
    audit::insert(connection, entry)?;
    Ok(true)
}

fn erasures(connection: &Connection) -> rusqlite::Result<Vec<Erasure>> {
    connection
        .prepare_cached("SELECT user, with_messages, begun_at, is_done FROM erasures")?
        .query_map([], |row| {
            Ok(Erasure {
                user: row.get("user")?,
                with_messages: row.get("with_messages")?,
                begun_at: row.get("begun_at")?,
                is_done: row.get("is_done")?,
            })
        })?
        .collect()
}

fn all_conversations_of(connection: &Connection, user: &Id) -> rusqlite::Result<Vec<Id>> {
    connection
        .prepare_cached(
            "SELECT id FROM conversations WHERE user_a = ?1
             UNION ALL SELECT id FROM conversations WHERE user_b = ?1 AND user_a <> ?1",
        )?
        .query_map([user], |row| row.get(0))?
        .collect()
}

/// What a part of a conversation has to be erased.
struct Found {
    /// The keys of withdrawn texts.
    withdrawn: Vec<i64>,
    /// Whether there is a row of the conversation alone.
    has_rows: bool,
    part: ErasurePart,
}

fn find(
    connection: &Connection,
    (key, side): (i64, usize),
    after: i64,
    erasure: &Erasure,
) -> rusqlite::Result<Found> {
    let end = after + PART;
    let last_seq: i64 = connection
        .prepare_cached("SELECT last_seq FROM conversations WHERE key = ?1")?
        .query_row([key], |row| row.get(0))?;
    let withdrawn = connection
        .prepare_cached(
            "SELECT w.key FROM withdrawn_texts w WHERE w.conversation = ?1 AND w.seq > ?2 AND w.seq <= ?3 AND ?4 = (
                 SELECT m.sender FROM messages m WHERE m.conversation = w.conversation AND m.seq = w.seq)",
        )?
        .query_map(params![key, after, end, side], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let messages = if erasure.with_messages {
        connection
            .prepare_cached(
                "SELECT seq FROM all_messages WHERE conversation = ?1 AND seq > ?2 AND seq <= ?3 AND sender = ?4
                     AND sent_at <= ?5 AND (deleted_at IS NULL OR text <> '' OR client_id IS NOT NULL OR extras IS NOT NULL)",
            )?
            .query_map(params![key, after, end, side, erasure.until()], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?
    } else {
        Vec::new()
    };
    let has_rows = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM unseen WHERE conversation = ?1 AND side = ?2) OR ?3 AND EXISTS (
                 SELECT 1 FROM imported_last_messages WHERE conversation = ?1 AND sender = ?4 AND text <> '')",
        )?
        .query_row(params![key, side, erasure.with_messages, erasure.user], |row| row.get(0))?;
    let next = (end < last_seq).then_some(end);
    Ok(Found { withdrawn, has_rows, part: ErasurePart { messages, next } })
}

fn erase_found(
    connection: &Connection,
    (key, side): (i64, usize),
    withdrawn: &[i64],
    erasure: &Erasure,
) -> rusqlite::Result<()> {
    for key in withdrawn {
        connection.prepare_cached("DELETE FROM withdrawn_texts WHERE key = ?1")?.execute([key])?;
    }
    connection
        .prepare_cached("DELETE FROM unseen WHERE conversation = ?1 AND side = ?2")?
        .execute(params![key, side])?;
    if erasure.with_messages {
        connection
            .prepare_cached(
                "UPDATE imported_last_messages SET text = '' WHERE conversation = ?1 AND sender = ?2",
            )?
            .execute(params![key, erasure.user])?;
    }
    Ok(())
}

/// What is erased beside conversations; `?1` is the user, `?2` how many rows.
const ROWS: [&str; 3] = [
    "DELETE FROM client_ids WHERE (sender, client_id) IN (
         SELECT sender, client_id FROM client_ids WHERE sender = ?1 LIMIT ?2)",
    "DELETE FROM blocks WHERE (blocker, blocked) IN (SELECT blocker, blocked FROM blocks WHERE blocker = ?1 LIMIT ?2)",
    "DELETE FROM last_seen WHERE user = ?1 AND ?2 > 0",
];
/// What is erased with the messages: what reports quote of them, and what the user said in reports of others.
const REPORTS: [&str; 2] = [
    "UPDATE reports SET text = '', reason = '', note = NULL WHERE key IN (SELECT key FROM reports
         WHERE sender = ?1 AND (text <> '' OR reason <> '' OR note IS NOT NULL) LIMIT ?2)",
    "UPDATE reports SET reason = '', note = NULL WHERE key IN (SELECT key FROM reports
         WHERE reporter = ?1 AND (reason <> '' OR note IS NOT NULL) LIMIT ?2)",
];

fn erase_rows(connection: &Connection, erasure: &Erasure) -> rusqlite::Result<bool> {
    let reports: &[&str] = if erasure.with_messages { &REPORTS } else { &[] };
    let mut has_more = false;
    for sql in ROWS.iter().chain(reports) {
        let erased = connection.prepare_cached(sql)?.execute(params![erasure.user, ERASED_AT_ONCE])?;
        has_more |= erased == ERASED_AT_ONCE;
    }
    Ok(has_more)
}

/// From now on these wait for the log alone.
fn set_done(connection: &Connection, erasures: &[Erasure]) -> rusqlite::Result<()> {
    of_each(
        connection,
        "UPDATE erasures SET is_done = TRUE WHERE user = ?1 AND with_messages = ?2 AND begun_at = ?3",
        erasures,
    )
}

fn finish(connection: &Connection, erasures: &[Erasure]) -> rusqlite::Result<()> {
    of_each(
        connection,
        "DELETE FROM erasures WHERE user = ?1 AND with_messages = ?2 AND begun_at = ?3",
        erasures,
    )
}

/// Executes a statement for each of these. One that was begun anew meanwhile has another row, and goes on.
fn of_each(connection: &Connection, sql: &str, erasures: &[Erasure]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    for Erasure { user, with_messages, begun_at, .. } in erasures {
        statement.execute(params![user, with_messages, begun_at.0])?;
    }
    Ok(())
}

#[async_trait]
impl ErasureStore for SqliteStore {
    async fn begin_erasure(&self, user: &Id, with_messages: bool, audit: NewAuditEntry) -> Result<bool> {
        let user = user.clone();
        self.write(move |connection| Ok(begin(connection, &user, with_messages, &audit)?)).await
    }

    async fn erasures(&self) -> Result<Vec<Erasure>> {
        self.readers.read(erasures).await
    }

    async fn all_conversations_of(&self, user: &Id) -> Result<Vec<Id>> {
        let user = user.clone();
        self.readers.read(move |connection| all_conversations_of(connection, &user)).await
    }

    async fn erase_part(
        &self,
        conversation: &Conversation,
        after: i64,
        erasure: &Erasure,
    ) -> Result<ErasurePart> {
        let place = (conversation.key, conversation.require_side_of(&erasure.user)?);
        let of = erasure.clone();
        let Found { withdrawn, has_rows, part } =
            self.readers.snapshot(move |connection| find(connection, place, after, &of)).await?;
        if has_rows || !withdrawn.is_empty() {
            let (of, bytes) = (erasure.clone(), size_of_val(&*withdrawn));
            self.write_bytes(bytes, move |connection| Ok(erase_found(connection, place, &withdrawn, &of)?))
                .await?;
        }
        Ok(part)
    }

    async fn erase_rows(&self, erasure: &Erasure) -> Result<bool> {
        let erasure = erasure.clone();
        self.write(move |connection| Ok(erase_rows(connection, &erasure)?)).await
    }

    async fn finish_erasures(&self, erasures: &[Erasure]) -> Result<bool> {
        let (erasures, path) = (erasures.to_vec(), self.path.clone());
        if erasures.iter().any(|erasure| !erasure.is_done) {
            scrub::scrub(self).await?;
            let done = erasures.clone();
            self.write(move |connection| Ok(set_done(connection, &done)?)).await?;
        }
        let emptied = tokio::task::spawn_blocking(move || checkpoint::empty_log(&path));
        let is_empty = emptied.await.map_err(|error| StoreError::Engine(error.to_string().into()))??;
        if is_empty {
            self.write(move |connection| Ok(finish(connection, &erasures)?)).await?;
        }
        Ok(is_empty)
    }
}
