//! The SQL of accounts.

use rusqlite::{Connection, OptionalExtension, params};

use crate::id::Id;
use crate::store::columns::{columns, sql};
use crate::store::types::{Profile, Role, User};
use crate::timestamp::Timestamp;

type Result<T> = rusqlite::Result<T>;

columns! {
    /// An account.
    struct UserRow of sqlite "u" {
        id: Id,
        email: Option<String>,
        password_hash: String,
        role: String,
        full_name: Option<String>,
        phone: Option<String>,
        profile_picture_url: Option<String>,
        is_active: bool,
        created_at: Timestamp,
        is_deleted: bool = "u.erased_at NOT NULL",
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let UserRow { id, full_name, profile_picture_url, .. } = row;
        Self {
            profile: Profile { id, full_name, profile_picture_url, is_deleted: row.is_deleted },
            email: row.email,
            password_hash: row.password_hash,
            role: Role::from_name(&row.role),
            phone: row.phone,
            is_active: row.is_active,
            created_at: row.created_at,
        }
    }
}

const INSERT_USER: &str =
    "INSERT INTO users (id, email, password_hash, role, full_name, phone, profile_picture_url, is_active, created_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
/// Takes the place of a user with the same id, also of one who was erased.
const UPSERT_USER: &str = sql!(
    INSERT_USER,
    " ON CONFLICT (id) DO UPDATE SET email = excluded.email, password_hash = excluded.password_hash,
         role = excluded.role, full_name = excluded.full_name, phone = excluded.phone,
         profile_picture_url = excluded.profile_picture_url, is_active = excluded.is_active,
         created_at = excluded.created_at, erased_at = NULL"
);

/// Fails with a constraint violation if the id or the e-mail is taken.
pub(super) fn insert_user(connection: &Connection, user: &User) -> Result<()> {
    write_user(connection, INSERT_USER, user)
}

/// Makes a user, or changes the one with this id. Fails with a constraint violation if the e-mail is taken.
pub(super) fn upsert_user(connection: &Connection, user: &User) -> Result<()> {
    write_user(connection, UPSERT_USER, user)
}

fn write_user(connection: &Connection, sql: &str, user: &User) -> Result<()> {
    connection
        .prepare_cached(sql)?
        .execute(params![
            user.profile.id,
            user.email,
            user.password_hash,
            user.role.name(),
            user.profile.full_name,
            user.phone,
            user.profile.profile_picture_url,
            user.is_active,
            user.created_at.0
        ])
        .map(drop)
}

pub(super) fn user(connection: &Connection, id: &Id) -> Result<Option<User>> {
    connection
        .prepare_cached(sql!("SELECT ", UserRow::COLUMNS, " FROM users u WHERE u.id = ?1"))?
        .query_row([id], |row| UserRow::read(row, 0).map(User::from))
        .optional()
}

pub(super) fn user_by_email(connection: &Connection, email: &str) -> Result<Option<User>> {
    connection
        .prepare_cached(sql!("SELECT ", UserRow::COLUMNS, " FROM users u WHERE u.email = ?1"))?
        .query_row([email], |row| UserRow::read(row, 0).map(User::from))
        .optional()
}

pub(super) fn set_password_hash(connection: &Connection, user: &Id, hash: &str) -> Result<()> {
    connection
        .prepare_cached("UPDATE users SET password_hash = ?2 WHERE id = ?1")?
        .execute(params![user, hash])
        .map(drop)
}

pub(super) fn profile(connection: &Connection, id: &Id) -> Result<Option<Profile>> {
    connection
        .prepare_cached("SELECT id, full_name, profile_picture_url, erased_at NOT NULL AS is_deleted FROM users WHERE id = ?1")?
        .query_row([id], |row| {
            Ok(Profile {
                id: row.get("id")?,
                full_name: row.get("full_name")?,
                profile_picture_url: row.get("profile_picture_url")?,
                is_deleted: row.get("is_deleted")?,
            })
        })
        .optional()
}
