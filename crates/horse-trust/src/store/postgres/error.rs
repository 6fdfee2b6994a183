//! Why a store can't be opened.

use crate::store::error::StoreError;

/// Why a store can't be opened. One line that names host and database, never the password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL says nothing that can be used.
    #[error("not a usable PostgreSQL URL: {0}")]
    Url(String),
    /// The database can't be reached, or fails.
    #[error("{database}: {source}")]
    Database {
        /// Where it is.
        database: String,
        /// Why.
        source: StoreError,
    },
    /// Nodes serve it, or another import goes into it.
    #[error("{0}: in use by another process")]
    InUse(String),
    /// The database has tables of another program.
    #[error("{0}: has tables of another program; an empty database or schema is needed")]
    Foreign(String),
    /// The schema was made by a newer version of this program.
    #[error("{database}: made by a newer version (schema {found}, this program knows {known})")]
    Newer {
        /// Where it is.
        database: String,
        /// Its schema.
        found: u32,
        /// The newest schema that is known here.
        known: u32,
    },
}
