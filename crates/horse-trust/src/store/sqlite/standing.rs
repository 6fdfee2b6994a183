//! The SQL of whose tokens are accepted, and of what changed of users.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::id::Id;
use crate::store::clock::before;
use crate::store::columns::sql;
use crate::store::standing::{
    ChangeCursor, FORGOTTEN_WITH_EACH, MAX_CHANGES, MAX_VOID_TOKENS, Revocation, Standing, Suspension,
    TokenId, UserChange, UserChanges, VoidToken,
};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

/// Ends all sessions of `user`.
pub(super) fn revoke_tokens(connection: &Connection, user: &Id) -> Result<Revocation> {
    // The millisecond that is not over belongs to the old tokens.
    connection
        .prepare_cached(
            "INSERT INTO revocations (user, generation, not_before) VALUES (?1, 1, ?2)
             ON CONFLICT DO UPDATE SET generation = generation + 1, not_before = max(not_before, excluded.not_before)
             RETURNING generation, not_before",
        )?
        .query_row(params![user, Timestamp::now().0 + 1], |row| {
            Ok(Revocation { generation: row.get("generation")?, not_before: row.get("not_before")? })
        })
}

/// Makes one token void; ends all sessions of the user if there are too many.
pub(super) fn void_token(connection: &Connection, void: &VoidToken) -> Result<Option<Revocation>> {
    let VoidToken { user, token, expires_at } = void;
    connection
        .prepare_cached(
            "DELETE FROM void_tokens WHERE (user, token) IN
                (SELECT user, token FROM void_tokens WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([Timestamp::now().0 - VoidToken::KEPT_AFTER_END, FORGOTTEN_WITH_EACH])?;
    connection
        .prepare_cached(
            "INSERT INTO void_tokens (user, token, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![user, token.0, expires_at.map(|at| at.0)])?;
    let count: usize = connection
        .prepare_cached("SELECT count(*) FROM void_tokens WHERE user = ?1")?
        .query_row([user], |row| row.get(0))?;
    if count <= MAX_VOID_TOKENS {
        return Ok(None);
    }
    connection
        .prepare_cached("DELETE FROM void_tokens WHERE user = ?1 AND token <> ?2")?
        .execute(params![user, token.0])?;
    revoke_tokens(connection, user).map(Some)
}

pub(super) fn void_tokens(connection: &Connection) -> Result<Vec<VoidToken>> {
    connection
        .prepare_cached(
            "SELECT user, token, expires_at FROM void_tokens WHERE expires_at IS NULL OR expires_at >= ?1",
        )?
        .query_map([Timestamp::now().0 - VoidToken::KEPT_AFTER_END], read_void_token)?
        .collect()
}

pub(super) fn session_generation(connection: &Connection, user: &Id) -> Result<i64> {
    let found = connection
        .prepare_cached("SELECT generation FROM revocations WHERE user = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

/// What says whether the tokens of the user in `ids` are accepted.
const STANDING: &str = "SELECT ids.user, r.generation, r.not_before, coalesce(u.is_active, 1) AS is_active,
     s.user AS suspended, s.until, s.reason
 FROM ids LEFT JOIN revocations r ON r.user = ids.user LEFT JOIN users u ON u.id = ids.user
     LEFT JOIN suspensions s ON s.user = ids.user";

pub(super) fn standings(connection: &Connection) -> Result<Vec<Standing>> {
    connection
        .prepare_cached(sql!(
            "WITH ids (user) AS (SELECT user FROM revocations UNION SELECT id FROM users WHERE is_active = 0
                 UNION SELECT user FROM suspensions) ",
            STANDING
        ))?
        .query_map([], read_standing)?
        .filter(|standing| {
            // Of suspensions that are over nothing is left.
            standing.as_ref().map_or(true, |one| one.revocation.is_some() || one.suspension.is_some())
        })
        .collect()
}

pub(super) fn standing(connection: &Connection, user: &Id) -> Result<Standing> {
    connection
        .prepare_cached(sql!("WITH ids (user) AS (SELECT ?1) ", STANDING))?
        .query_row([user], read_standing)
}

/// The end of what has changed.
pub(super) fn last_change(connection: &Connection) -> Result<ChangeCursor> {
    // Also of numbers that were deleted.
    let last: Option<i64> = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'user_changes'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(cursor(last.unwrap_or(0)))
}

/// What has a greater number than the cursor: numbers ascend in the order of commits.
pub(super) fn user_changes(connection: &Connection, after: &ChangeCursor) -> Result<UserChanges> {
    let mut last: i64 = after.0.parse().unwrap_or(0);
    let mut statement = connection.prepare_cached(
        "SELECT c.number, c.other, c.user, c.is_profile, r.generation, r.not_before,
            coalesce(u.is_active, 1) AS is_active, s.user AS suspended, s.until, s.reason,
            c.token, c.token_expires_at AS expires_at
         FROM user_changes c LEFT JOIN users u ON u.id = c.user LEFT JOIN revocations r ON r.user = c.user
             LEFT JOIN suspensions s ON s.user = c.user
         WHERE c.number > ?1 ORDER BY c.number LIMIT ?2",
    )?;
    let limit = i64::try_from(MAX_CHANGES + 1).unwrap_or(i64::MAX);
    let mut rows = statement.query([last, limit])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        if changes.len() == MAX_CHANGES {
            return Ok(UserChanges { cursor: last_change(connection)?, changes: None });
        }
        last = row.get("number")?;
        changes.push(match row.get("other")? {
            Some(other) => UserChange::Blocks([row.get("user")?, other]),
            None if row.get::<_, Option<i64>>("token")?.is_some() => {
                UserChange::TokenVoid(read_void_token(row)?)
            }
            None if row.get("is_profile")? => UserChange::Profile(read_standing(row)?),
            None => UserChange::Account(read_standing(row)?),
        });
    }
    Ok(UserChanges { cursor: cursor(last), changes: Some(changes) })
}

pub(super) fn forget_user_changes(connection: &Connection, kept: Duration) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM user_changes WHERE changed_at < ?1")?
        .execute([before(Timestamp::now(), kept).0])
        .map(drop)
}

fn cursor(number: i64) -> ChangeCursor {
    ChangeCursor(number.to_string().into())
}

fn read_void_token(row: &Row<'_>) -> Result<VoidToken> {
    Ok(VoidToken {
        user: row.get("user")?,
        token: TokenId(row.get("token")?),
        expires_at: row.get("expires_at")?,
    })
}

fn read_standing(row: &Row<'_>) -> Result<Standing> {
    let revocation = match row.get("generation")? {
        Some(generation) => Some(Revocation { generation, not_before: row.get("not_before")? }),
        None => None,
    };
    let own = match row.get::<_, Option<Id>>("suspended")? {
        Some(_) => Some((row.get("until")?, row.get("reason")?)),
        None => None,
    };
    let suspension = Suspension::of(row.get("is_active")?, own, Timestamp::now());
    Ok(Standing { user: row.get("user")?, revocation, suspension })
}
