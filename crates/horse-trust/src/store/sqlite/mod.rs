//! The embedded store: SQLite in WAL mode with `synchronous=FULL`.
//!
//! One thread writes, and commits in groups ([`engine`]); a few connections read ([`reader`]). The file is
//! one that `sqlite3` opens; a lock beside it keeps a second process away.

mod accounts;
mod append_buffer;
mod audit;
mod check;
mod checkpoint;
mod client_ids;
mod codec;
mod conversations;
#[cfg(test)]
mod cost;
mod database;
mod deleted;
mod directory;
mod engine;
mod erased_message;
mod erasure;
mod export;
mod import;
mod job;
mod listings;
mod memory;
mod message;
mod messages;
mod moderation;
mod outbox;
mod outbox_rows;
mod outbox_store;
mod people;
mod reader;
mod reports;
mod schema;
mod scrub;
mod standing;
mod statements;
mod store;
#[cfg(test)]
mod tests;
mod unseen;

pub use self::check::check;
pub use self::database::{Database, OpenError};
pub use self::store::SqliteStore;
