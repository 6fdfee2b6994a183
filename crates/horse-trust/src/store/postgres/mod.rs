//! The store of several nodes: PostgreSQL.
//!
//! What has its turn (messages, what is read, changes, blocks) goes through one task a node, a batch in one round
//! trip ([`engine`]); reads and single writes go over a few connections ([`pool`]). The rules that hold over all nodes
//! are functions in the database (`migrations/postgres/functions`).

mod audit;
mod batch;
mod codec;
mod connection;
mod conversations;
mod directory;
mod engine;
mod erasure;
mod error;
mod export;
mod import;
mod listings;
mod message;
mod messages;
mod nodes;
mod outbox;
mod outbox_store;
mod people;
mod pool;
mod reports;
mod schema;
mod settings;
mod silence;
mod standing;
mod store;
mod tls;

pub use self::error::OpenError;
pub use self::import::PostgresImport;
pub use self::schema::check;
pub use self::store::PostgresStore;
