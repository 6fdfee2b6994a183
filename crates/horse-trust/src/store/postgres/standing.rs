//! The SQL of whose tokens are accepted, and of what changed of users.

use std::time::Duration;

use tokio_postgres::Row;

use super::pool::Pool;
use crate::id::Id;
use crate::store::clock::milliseconds;
use crate::store::columns::sql;
use crate::store::error::{Result, StoreError};
use crate::store::standing::{
    ChangeCursor, FORGOTTEN_WITH_EACH, MAX_CHANGES, MAX_VOID_TOKENS, Revocation, Standing, Suspension,
    TokenId, UserChange, UserChanges, VoidToken,
};

/// Ends all sessions of `user`, by the database's clock.
pub(super) async fn revoke_tokens(pool: &Pool, user: &Id) -> Result<Revocation> {
    // The millisecond that is not over belongs to the old tokens.
    let sql = "
        INSERT INTO revocations AS r (user_id, generation, not_before) VALUES ($1, 1, now_ms() + 1)
        ON CONFLICT (user_id) DO UPDATE SET generation = r.generation + 1,
            not_before = greatest(r.not_before, excluded.not_before)
        RETURNING generation, not_before";
    let rows = pool.query(sql, &[user]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Engine("no answer".into()))?;
    Ok(Revocation { generation: row.try_get("generation")?, not_before: row.try_get("not_before")? })
}

/// Makes one token void; ends all sessions of the user if there are too many. Those who are counted at the same time by
/// other nodes may come on top.
pub(super) async fn void_token(pool: &Pool, void: &VoidToken) -> Result<Option<Revocation>> {
    let VoidToken { user, token, expires_at } = void;
    let sql = "
        WITH over AS (
            DELETE FROM void_tokens WHERE (user_id, token) IN (
                SELECT user_id, token FROM void_tokens WHERE expires_at < now_ms() - $4
                ORDER BY expires_at LIMIT $5)),
        added AS (
            INSERT INTO void_tokens (user_id, token, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING)
        SELECT count(*) FROM void_tokens WHERE user_id = $1";
    let expires_at = expires_at.map(|at| at.0);
    let rows = pool
        .query(sql, &[user, &token.0, &expires_at, &VoidToken::KEPT_AFTER_END, &FORGOTTEN_WITH_EACH])
        .await?;
    // As many as there were before.
    let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    if usize::try_from(count).is_ok_and(|count| count < MAX_VOID_TOKENS) {
        return Ok(None);
    }
    // First what makes all of them void, then what made each void.
    let revocation = revoke_tokens(pool, user).await?;
    pool.query("DELETE FROM void_tokens WHERE user_id = $1 AND token <> $2", &[user, &token.0]).await?;
    Ok(Some(revocation))
}

pub(super) async fn void_tokens(pool: &Pool) -> Result<Vec<VoidToken>> {
    let sql = "
        SELECT user_id, token, expires_at FROM void_tokens
        WHERE expires_at IS NULL OR expires_at >= now_ms() - $1";
    pool.query(sql, &[&VoidToken::KEPT_AFTER_END]).await?.iter().map(read_void_token).collect()
}

pub(super) async fn session_generation(pool: &Pool, user: &Id) -> Result<i64> {
    let rows = pool.query("SELECT generation FROM revocations WHERE user_id = $1", &[user]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}

/// What says whether the tokens of the user in `ids` are accepted.
const STANDING: &str =
    "SELECT ids.user_id, r.generation, r.not_before, coalesce(u.is_active, true) AS is_active,
     s.user_id AS suspended, s.until, s.reason, now_ms() AS now
 FROM ids LEFT JOIN revocations r ON r.user_id = ids.user_id LEFT JOIN users u ON u.id = ids.user_id
     LEFT JOIN suspensions s ON s.user_id = ids.user_id";

pub(super) async fn standings(pool: &Pool) -> Result<Vec<Standing>> {
    let sql = sql!(
        "WITH ids AS (SELECT user_id FROM revocations UNION SELECT id FROM users WHERE NOT is_active
             UNION SELECT user_id FROM suspensions WHERE until IS NULL OR until > now_ms()) ",
        STANDING
    );
    pool.query(sql, &[]).await?.iter().map(read_standing).collect()
}

pub(super) async fn standing(pool: &Pool, user: &Id) -> Result<Standing> {
    let rows = pool.query(sql!("WITH ids AS (SELECT $1::text AS user_id) ", STANDING), &[user]).await?;
    read_standing(rows.first().ok_or_else(|| StoreError::Engine("no answer".into()))?)
}

/// The end of what has changed.
pub(super) async fn last_change(pool: &Pool) -> Result<ChangeCursor> {
    let rows = pool.query("SELECT pg_current_snapshot()::text", &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Engine("no answer".into()))?;
    Ok(ChangeCursor(row.try_get::<_, String>(0)?.into()))
}

/// What is visible now and was not in the snapshot of the cursor.
pub(super) async fn user_changes(pool: &Pool, after: &ChangeCursor) -> Result<UserChanges> {
    let sql = "
        SELECT pg_current_snapshot()::text AS snapshot, c.number, c.other, c.user_id, c.is_profile,
            r.generation, r.not_before, coalesce(u.is_active, true) AS is_active, p.user_id AS suspended, p.until,
            p.reason, now_ms() AS now, c.token, c.token_expires_at AS expires_at
        FROM (SELECT $1::text::pg_snapshot AS seen) s
        LEFT JOIN LATERAL (
            SELECT * FROM user_changes
            WHERE transaction_id >= pg_snapshot_xmin(s.seen) AND NOT pg_visible_in_snapshot(transaction_id, s.seen)
            ORDER BY number LIMIT $2) c ON true
        LEFT JOIN users u ON u.id = c.user_id
        LEFT JOIN revocations r ON r.user_id = c.user_id
        LEFT JOIN suspensions p ON p.user_id = c.user_id
        ORDER BY c.number";
    let limit = i64::try_from(MAX_CHANGES + 1).unwrap_or(i64::MAX);
    let rows = pool.query(sql, &[&&*after.0, &limit]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Engine("no answer".into()))?;
    let cursor = ChangeCursor(row.try_get::<_, String>("snapshot")?.into());
    if rows.len() > MAX_CHANGES {
        return Ok(UserChanges { cursor, changes: None });
    }
    let mut changes = Vec::new();
    for row in &rows {
        // Without any change there is a row of the snapshot alone.
        if row.try_get::<_, Option<i64>>("number")?.is_none() {
            continue;
        }
        let other: Option<Id> = row.try_get("other")?;
        changes.push(match other {
            Some(other) => UserChange::Blocks([row.try_get("user_id")?, other]),
            None if row.try_get::<_, Option<i64>>("token")?.is_some() => {
                UserChange::TokenVoid(read_void_token(row)?)
            }
            None if row.try_get("is_profile")? => UserChange::Profile(read_standing(row)?),
            None => UserChange::Account(read_standing(row)?),
        });
    }
    Ok(UserChanges { cursor, changes: Some(changes) })
}

pub(super) async fn forget_user_changes(pool: &Pool, kept: Duration) -> Result<()> {
    let sql = "DELETE FROM user_changes WHERE changed_at < now_ms() - $1";
    pool.query(sql, &[&milliseconds(kept)]).await.map(drop)
}

fn read_void_token(row: &Row) -> Result<VoidToken> {
    Ok(VoidToken {
        user: row.try_get("user_id")?,
        token: TokenId(row.try_get("token")?),
        expires_at: row.try_get("expires_at")?,
    })
}

fn read_standing(row: &Row) -> Result<Standing> {
    let revocation = match row.try_get("generation")? {
        Some(generation) => Some(Revocation { generation, not_before: row.try_get("not_before")? }),
        None => None,
    };
    let own = match row.try_get::<_, Option<Id>>("suspended")? {
        Some(_) => Some((row.try_get("until")?, row.try_get("reason")?)),
        None => None,
    };
    let suspension = Suspension::of(row.try_get("is_active")?, own, row.try_get("now")?);
    Ok(Standing { user: row.try_get("user_id")?, revocation, suspension })
}
