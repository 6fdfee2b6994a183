//! Statements of no table, and what their errors mean.

use rusqlite::{Connection, ErrorCode};

type Result<T> = rusqlite::Result<T>;

/// Whether a statement failed because a value of `column` (`table.column`) has to be unique.
pub(super) fn is_taken(error: &rusqlite::Error, column: &str) -> bool {
    is_constraint_violation(error) && error.to_string().contains(column)
}

/// Whether a statement broke a constraint of the schema.
pub(super) fn is_constraint_violation(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// Runs a statement without parameters.
pub(super) fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

pub(super) fn ping(connection: &Connection) -> Result<()> {
    connection.prepare_cached("SELECT count(*) FROM sqlite_schema")?.query_row([], |_| Ok(()))
}

/// Writes what is there already, so that the transaction has something to commit.
pub(super) fn touch(connection: &Connection) -> Result<()> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}
