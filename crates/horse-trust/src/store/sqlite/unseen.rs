//! The SQL of unread messages whose recipients may be away.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::codec::count;
use super::messages::conversation_by_key;
use super::outbox_rows::{self as outbox, NewEvent};
use crate::id::Id;
use crate::store::clock::milliseconds;
use crate::store::outbox::OutboxPlan;
use crate::store::types::{EventKind, UnseenDue, UnseenOutcome};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

const READ_SEQ: [&str; 2] = ["read_seq_a", "read_seq_b"];

/// One of the two has unread messages that they had not before. A conversation that is watched already stays as it is, and
/// so does one whose event was added, until that message is read.
pub(super) fn watch(connection: &Connection, plan: &OutboxPlan, key: i64, side: usize) -> Result<()> {
    let Some(after) = plan.unseen_after() else { return Ok(()) };
    let sql = format!(
        "INSERT INTO unseen (conversation, side, due_at) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
             SET due_at = excluded.due_at, notified_seq = NULL
             WHERE unseen.due_at IS NULL
                 AND (SELECT {} FROM conversations WHERE key = ?1) >= coalesce(unseen.notified_seq, 0)",
        READ_SEQ[side]
    );
    connection
        .prepare_cached(&sql)?
        .execute(params![key, side, Timestamp::now().0.saturating_add(after)])
        .map(drop)
}

pub(super) fn due(connection: &Connection, limit: usize) -> Result<(Vec<UnseenDue>, Option<Duration>)> {
    let now = Timestamp::now();
    let ago = |at: Timestamp| Duration::from_millis(count(now.0 - at.0));
    let places: Vec<(i64, usize)> = connection
        .prepare_cached(
            "SELECT conversation, side FROM unseen WHERE due_at <= ?1 AND due_at IS NOT NULL ORDER BY due_at LIMIT ?2",
        )?
        .query_map(params![now.0, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    let mut all = Vec::new();
    for (key, side) in places {
        let conversation = conversation_by_key(connection, key)?;
        let sql = format!(
            "SELECT seq, sent_at FROM all_messages WHERE conversation = ?1
                 AND seq > (SELECT {} FROM conversations WHERE key = ?1)
                 AND sender <> ?2 AND is_read IS NULL AND deleted_at IS NULL ORDER BY seq LIMIT 1",
            READ_SEQ[side & 1]
        );
        let first_unread = connection
            .prepare_cached(&sql)?
            .query_row(params![key, side], |row| Ok((row.get(0)?, ago(row.get(1)?))))
            .optional()?;
        let last_seen: Option<Timestamp> = connection
            .prepare_cached("SELECT at FROM last_seen WHERE user = ?1")?
            .query_row([&conversation.participants[side & 1]], |row| row.get(0))
            .optional()?;
        let last_seen = last_seen.map(ago);
        all.push(UnseenDue { conversation: Arc::clone(&conversation), side, first_unread, last_seen });
    }
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(due_at) FROM unseen WHERE due_at > ?1")?
        .query_row([now.0], |row| row.get(0))?;
    Ok((all, next.map(|at| Duration::from_millis(count(at - now.0)))))
}

pub(super) fn settle(
    connection: &Connection,
    plan: &OutboxPlan,
    outcomes: &[(i64, usize, Id, UnseenOutcome)],
) -> Result<()> {
    let now = Timestamp::now();
    for (key, side, recipient, outcome) in outcomes {
        let update = |due_at: Option<i64>, notified_seq: Option<i64>| {
            connection
                .prepare_cached(
                    "UPDATE unseen SET due_at = ?3, notified_seq = ?4 WHERE conversation = ?1 AND side = ?2",
                )?
                .execute(params![key, side, due_at, notified_seq])
        };
        match outcome {
            UnseenOutcome::Forget => {
                connection
                    .prepare_cached("DELETE FROM unseen WHERE conversation = ?1 AND side = ?2")?
                    .execute(params![key, side])?;
            }
            UnseenOutcome::Wait(time) => {
                update(Some(now.0.saturating_add(milliseconds(*time))), None)?;
            }
            UnseenOutcome::Notify(seq) => {
                update(None, Some(*seq))?;
                let event = NewEvent::new(EventKind::MessageUnseen, *key, *seq, now);
                outbox::add(connection, plan, &NewEvent { detail: Some(recipient.as_str()), ..event })?;
            }
        }
    }
    Ok(())
}
