//! The SQL of people: accounts, partners, blocks, and what the server notes of them.

use std::time::Duration;

use tokio_postgres::Row;

use super::codec::count;
use super::pool::Pool;
use crate::id::Id;
use crate::store::clock::milliseconds;
use crate::store::columns::{columns, sql};
use crate::store::error::{Result, StoreError};
use crate::store::types::{Page, Profile, Role, User, Withdrawn, integer};
use crate::timestamp::Timestamp;

columns! {
    /// An account.
    struct UserRow of postgres "u" {
        id: Id,
        full_name: Option<String>,
        profile_picture_url: Option<String>,
        email: Option<String>,
        password_hash: String,
        role: String,
        phone: Option<String>,
        is_active: bool,
        created_at: Timestamp,
        is_deleted: bool = "u.erased_at IS NOT NULL",
    }
}

fn read_user(row: &Row) -> Result<User> {
    Ok(user_of(UserRow::read(row, 0)?))
}

pub(super) fn user_of(row: UserRow) -> User {
    let UserRow { id, full_name, profile_picture_url, is_deleted, .. } = row;
    User {
        profile: Profile { id, full_name, profile_picture_url, is_deleted },
        email: row.email,
        password_hash: row.password_hash,
        role: Role::from_name(&row.role),
        phone: row.phone,
        is_active: row.is_active,
        created_at: row.created_at,
    }
}

const USER: &str = sql!("SELECT ", UserRow::COLUMNS, " FROM users u WHERE u.id = $1");
const USER_BY_EMAIL: &str = sql!("SELECT ", UserRow::COLUMNS, " FROM users u WHERE u.email = $1");

pub(super) async fn user(pool: &Pool, id: &Id) -> Result<Option<User>> {
    pool.query(USER, &[id]).await?.first().map(read_user).transpose()
}

pub(super) async fn user_by_email(pool: &Pool, email: &str) -> Result<Option<User>> {
    pool.query(USER_BY_EMAIL, &[&email]).await?.first().map(read_user).transpose()
}

pub(super) async fn insert_user(pool: &Pool, user: &User) -> Result<()> {
    let role = user.role.name();
    let sql =
        "INSERT INTO users (id, full_name, profile_picture_url, email, password_hash, role, phone, is_active,
            created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (email) DO NOTHING RETURNING id";
    let inserted = pool
        .query(
            sql,
            &[
                &user.profile.id,
                &user.profile.full_name,
                &user.profile.profile_picture_url,
                &user.email,
                &user.password_hash,
                &role,
                &user.phone,
                &user.is_active,
                &user.created_at.0,
            ],
        )
        .await?;
    if inserted.is_empty() { Err(StoreError::EmailTaken) } else { Ok(()) }
}

pub(super) async fn set_password_hash(pool: &Pool, user: &Id, hash: &str) -> Result<()> {
    pool.query("UPDATE users SET password_hash = $2 WHERE id = $1", &[user, &hash]).await.map(drop)
}

pub(super) async fn profile(pool: &Pool, id: &Id) -> Result<Option<Profile>> {
    let sql = "SELECT id, full_name, profile_picture_url, erased_at FROM users WHERE id = $1";
    match pool.query(sql, &[id]).await?.first() {
        Some(row) => read_profile(row),
        None => Ok(None),
    }
}

/// The profile in a row with the columns of it; `None` where a join found no account.
fn read_profile(row: &Row) -> Result<Option<Profile>> {
    let Some(id) = row.try_get("id")? else { return Ok(None) };
    let (full_name, profile_picture_url) = (row.try_get("full_name")?, row.try_get("profile_picture_url")?);
    let is_deleted = row.try_get::<_, Option<i64>>("erased_at")?.is_some();
    Ok(Some(Profile { id, full_name, profile_picture_url, is_deleted }))
}

pub(super) async fn partners_of(pool: &Pool, users: &[Id]) -> Result<Vec<Vec<Id>>> {
    let sql = "
        SELECT u.place, p.other FROM unnest($1::text[]) WITH ORDINALITY AS u (id, place) CROSS JOIN LATERAL (
            SELECT user_b AS other FROM conversations
            WHERE user_a = u.id AND (last_seq > 0 OR hidden_from IS NULL)
            UNION SELECT user_a FROM conversations
            WHERE user_b = u.id AND (last_seq > 0 OR hidden_from IS NULL)) p
        WHERE NOT EXISTS (SELECT 1 FROM blocks WHERE blocker = u.id AND blocked = p.other)
          AND NOT EXISTS (SELECT 1 FROM blocks WHERE blocker = p.other AND blocked = u.id)";
    let mut partners = vec![Vec::new(); users.len()];
    for row in pool.query(sql, &[&users]).await? {
        let place = usize::try_from(row.try_get::<_, i64>("place")?).unwrap_or_default();
        if let Some(partners) = partners.get_mut(place.wrapping_sub(1)) {
            partners.push(row.try_get("other")?);
        }
    }
    Ok(partners)
}

/// How many times of users one statement notes: well within the time that it has.
const NOTED_AT_ONCE: usize = 500;

pub(super) async fn set_last_seen(pool: &Pool, seen: &[(Id, Timestamp)]) -> Result<()> {
    // In one order, so that nodes do not wait for each other in a circle.
    let sql = "
        INSERT INTO last_seen (user_id, at)
        SELECT s.user_id, max(s.at) FROM unnest($1::text[], $2::bigint[]) AS s (user_id, at)
        WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.user_id AND u.erased_at IS NOT NULL)
        GROUP BY s.user_id ORDER BY s.user_id
        ON CONFLICT (user_id) DO UPDATE SET at = held_forward(excluded.at, last_seen.at)";
    for part in seen.chunks(NOTED_AT_ONCE) {
        let (users, times): (Vec<_>, Vec<_>) = part.iter().map(|(user, at)| (user, at.0)).unzip();
        pool.query(sql, &[&users, &times]).await?;
    }
    Ok(())
}

pub(super) async fn blocks_between(pool: &Pool, first: &Id, second: &Id) -> Result<[bool; 2]> {
    let sql = "SELECT EXISTS (SELECT 1 FROM blocks WHERE blocker = $1 AND blocked = $2),
                      EXISTS (SELECT 1 FROM blocks WHERE blocker = $2 AND blocked = $1)";
    let rows = pool.query(sql, &[first, second]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Engine("no answer".into()))?;
    Ok([row.try_get(0)?, row.try_get(1)?])
}

pub(super) async fn shared_conversations(pool: &Pool, user: &Id, other: &Id, limit: u32) -> Result<Vec<i64>> {
    let sql = "SELECT key, updated_at FROM conversations
               WHERE user_a = $1 AND user_b = $2 AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 0)
               UNION ALL SELECT key, updated_at FROM conversations
               WHERE user_a = $2 AND user_b = $1 AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 1)
               ORDER BY updated_at DESC, key DESC LIMIT $3";
    let rows = pool.query(sql, &[user, other, &i64::from(limit)]).await?;
    rows.iter().map(|row| Ok(row.try_get("key")?)).collect()
}

pub(super) async fn blocked_by(pool: &Pool, user: &Id) -> Result<Vec<(Id, Option<Profile>)>> {
    let sql = "SELECT b.blocked, u.id, u.full_name, u.profile_picture_url, u.erased_at
        FROM blocks b LEFT JOIN users u ON u.id = b.blocked AND EXISTS (
            SELECT 1 FROM conversations WHERE user_a = b.blocker AND user_b = b.blocked
                AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 0)
            UNION ALL
            SELECT 1 FROM conversations WHERE user_a = b.blocked AND user_b = b.blocker
                AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 1))
        WHERE b.blocker = $1 ORDER BY b.created_at DESC, b.blocked";
    let rows = pool.query(sql, &[user]).await?;
    rows.iter().map(|row| Ok((row.try_get("blocked")?, read_profile(row)?))).collect()
}

pub(super) async fn withdrawn(pool: &Pool, conversation: Option<&Id>, page: Page) -> Result<Vec<Withdrawn>> {
    let sql = "
        SELECT c.id AS conversation_id, m.id AS message_id,
            CASE m.sender WHEN 0 THEN c.user_a WHEN 1 THEN c.user_b ELSE 'system' END AS sender, w.seq, w.withdrawn_at, w.is_deleted, w.text
        FROM withdrawn_texts w
        JOIN conversations c ON c.key = w.conversation
        JOIN messages m ON m.conversation = w.conversation AND m.seq = w.seq
        WHERE $1::text IS NULL OR c.id = $1 ORDER BY w.key DESC LIMIT $2 OFFSET $3";
    let [limit, offset] = page.window();
    let read = |row: &Row| {
        Ok(Withdrawn {
            conversation_id: row.try_get("conversation_id")?,
            message_id: row.try_get("message_id")?,
            sender: row.try_get("sender")?,
            seq: row.try_get("seq")?,
            withdrawn_at: row.try_get("withdrawn_at")?,
            is_deleted: row.try_get("is_deleted")?,
            text: row.try_get("text")?,
        })
    };
    pool.query(sql, &[&conversation, &limit, &offset]).await?.iter().map(read).collect()
}

pub(super) async fn forget_withdrawn(pool: &Pool, kept: Duration) -> Result<u64> {
    /// As many as are forgotten well within the time that a statement has.
    const AT_ONCE: u64 = 10_000;
    let sql = "
        WITH gone AS (
            DELETE FROM withdrawn_texts WHERE key IN (
                SELECT key FROM withdrawn_texts WHERE withdrawn_at < (SELECT now_ms() - $1) LIMIT $2)
            RETURNING 1)
        SELECT count(*) FROM gone";
    let kept = milliseconds(kept);
    let mut forgotten = 0;
    loop {
        let rows = pool.query(sql, &[&kept, &integer(AT_ONCE)]).await?;
        let gone = rows.first().map(|row| row.try_get(0)).transpose()?.map_or(0, count);
        forgotten += gone;
        if gone < AT_ONCE {
            return Ok(forgotten);
        }
    }
}
