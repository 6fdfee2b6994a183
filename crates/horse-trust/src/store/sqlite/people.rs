//! The SQL of what people are to each other: partners and blocks; and of what the server notes of them.

use rusqlite::{Connection, params};

use super::codec::MessageId;
use super::outbox_rows::{self as outbox, NewEvent};
use crate::id::Id;
use crate::store::clock::HELD_FORWARD;
use crate::store::group_commit::BlockChange;
use crate::store::outbox::{OutboxPlan, lane_of_pair};
use crate::store::types::{EventKind, Page, Profile, Withdrawn};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

pub(super) fn partners_of(connection: &Connection, users: &[Id]) -> Result<Vec<Vec<Id>>> {
    let mut statement = connection.prepare_cached(
        "SELECT other FROM (
             SELECT user_b AS other FROM conversations
             WHERE user_a = ?1 AND (last_seq > 0 OR hidden_from IS NULL)
             UNION SELECT user_a FROM conversations
             WHERE user_b = ?1 AND (last_seq > 0 OR hidden_from IS NULL))
         WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = other)
           AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocker = other AND blocked = ?1)",
    )?;
    users.iter().map(|user| statement.query_map([user], |row| row.get(0))?.collect()).collect()
}

pub(super) fn set_last_seen(connection: &Connection, seen: &[(Id, Timestamp)]) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO last_seen (user, at) SELECT ?1, ?2
         WHERE NOT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND erased_at NOT NULL) ON CONFLICT DO UPDATE
             SET at = CASE WHEN at > excluded.at + ?3 THEN excluded.at ELSE max(at, excluded.at) END",
    )?;
    seen.iter().try_for_each(|(user, at)| statement.execute(params![user, at.0, HELD_FORWARD]).map(drop))
}

pub(super) fn set_block(
    connection: &Connection,
    change: &BlockChange,
    plan: Option<&OutboxPlan>,
) -> Result<()> {
    let BlockChange { blocker, blocked, is_blocked } = change;
    let now = Timestamp::now();
    let changed = if *is_blocked {
        connection
            .prepare_cached(
                "INSERT INTO blocks (blocker, blocked, created_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(params![blocker, blocked, now.0])?
    } else {
        connection
            .prepare_cached("DELETE FROM blocks WHERE blocker = ?1 AND blocked = ?2")?
            .execute(params![blocker, blocked])?
    };
    if let Some(plan) = plan.filter(|_| changed > 0) {
        let kind = if *is_blocked { EventKind::UserBlocked } else { EventKind::UserUnblocked };
        let event = NewEvent::new(kind, lane_of_pair(blocker, blocked), 0, now);
        let detail = format!("{blocker} {blocked}");
        outbox::add(connection, plan, &NewEvent { detail: Some(&detail), ..event })?;
    }
    Ok(())
}

pub(super) fn blocks_between(connection: &Connection, first: &Id, second: &Id) -> Result<[bool; 2]> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = ?2),
                    EXISTS (SELECT 1 FROM blocks WHERE blocker = ?2 AND blocked = ?1)",
        )?
        .query_row([first, second], |row| Ok([row.get(0)?, row.get(1)?]))
}

pub(super) fn shared_conversations(
    connection: &Connection,
    user: &Id,
    other: &Id,
    limit: u32,
) -> Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT key, updated_at FROM conversations
             WHERE user_a = ?1 AND user_b = ?2 AND (last_seq > 0 OR hidden_from IS NOT 0)
             UNION ALL SELECT key, updated_at FROM conversations
             WHERE user_a = ?2 AND user_b = ?1 AND (last_seq > 0 OR hidden_from IS NOT 1)
             ORDER BY updated_at DESC, key DESC LIMIT ?3",
        )?
        .query_map(params![user, other, limit], |row| row.get(0))?
        .collect()
}

pub(super) fn blocked_by(connection: &Connection, user: &Id) -> Result<Vec<(Id, Option<Profile>)>> {
    connection
        .prepare_cached(
            "SELECT b.blocked, u.id, u.full_name, u.profile_picture_url, u.erased_at NOT NULL AS is_deleted
             FROM blocks b LEFT JOIN users u ON u.id = b.blocked AND EXISTS (
                 SELECT 1 FROM conversations WHERE user_a = b.blocker AND user_b = b.blocked
                     AND (last_seq > 0 OR hidden_from IS NOT 0)
                 UNION ALL
                 SELECT 1 FROM conversations WHERE user_a = b.blocked AND user_b = b.blocker
                     AND (last_seq > 0 OR hidden_from IS NOT 1))
             WHERE b.blocker = ?1 ORDER BY b.created_at DESC, b.blocked",
        )?
        .query_map([user], |row| {
            let profile = match row.get("id")? {
                Some(id) => Some(Profile {
                    id,
                    full_name: row.get("full_name")?,
                    profile_picture_url: row.get("profile_picture_url")?,
                    is_deleted: row.get("is_deleted")?,
                }),
                None => None,
            };
            Ok((row.get("blocked")?, profile))
        })?
        .collect()
}

pub(super) fn withdrawn(
    connection: &Connection,
    conversation: Option<&Id>,
    page: Page,
) -> Result<Vec<Withdrawn>> {
    let [limit, offset] = page.window();
    connection
        .prepare_cached(
            "SELECT c.id AS conversation_id, m.id AS message_id,
                 CASE m.sender WHEN 0 THEN c.user_a WHEN 1 THEN c.user_b ELSE 'system' END AS sender, w.seq, w.withdrawn_at, w.is_deleted, w.text
             FROM withdrawn_texts w
             JOIN conversations c ON c.key = w.conversation
             JOIN messages m ON m.conversation = w.conversation AND m.seq = w.seq
             WHERE ?1 IS NULL OR c.id = ?1 ORDER BY w.key DESC LIMIT ?2 OFFSET ?3",
        )?
        .query_map(params![conversation, limit, offset], |row| {
            Ok(Withdrawn {
                conversation_id: row.get("conversation_id")?,
                message_id: row.get::<_, MessageId>("message_id")?.0,
                sender: row.get("sender")?,
                seq: row.get("seq")?,
                withdrawn_at: row.get("withdrawn_at")?,
                is_deleted: row.get("is_deleted")?,
                text: row.get("text")?,
            })
        })?
        .collect()
}

/// How many texts one transaction forgets at most.
pub(super) const FORGOTTEN_AT_ONCE: u64 = 500;

/// Forgets some of the texts that were withdrawn before this; answers how many.
pub(super) fn forget_withdrawn(connection: &Connection, before: Timestamp) -> Result<u64> {
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM withdrawn_texts WHERE key IN (
                 SELECT key FROM withdrawn_texts WHERE withdrawn_at < ?1 ORDER BY withdrawn_at LIMIT ?2)",
        )?
        .execute(params![before.0, FORGOTTEN_AT_ONCE])?;
    Ok(forgotten as u64)
}
