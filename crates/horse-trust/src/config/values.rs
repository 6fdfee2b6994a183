//! What settings are, where the standard library has no type for it.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// A value that may say that there is none, as an empty text or 0 does. To clap an `Option` is a flag that may be left
/// out, so it must not read this as one.
pub(super) type Perhaps<T> = Option<T>;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// What tokens are verified with.
#[derive(Debug, Clone, Copy)]
pub enum KeySetting<'a> {
    /// A secret, which signs them, too.
    Secret(&'a Secret),
    /// The public key of a platform.
    Public {
        /// The file that it is in.
        path: &'a Path,
        /// The file's text.
        pem: &'a str,
    },
}

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In a file, for one node.
    Sqlite(PathBuf),
    /// In a PostgreSQL, which several nodes may share; the URL may hold a password.
    Postgres(Secret),
}

impl Default for Database {
    fn default() -> Self {
        Self::Sqlite("data/horse-trust.db".into())
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: an object a line.
    Json,
}

/// As many threads as there are cores, less the last one, which the store's thread and the kernel's work for the network
/// have. With a thread more, two on two cores wake each other for every piece of work: 8 to 15 % more CPU a message, and
/// fewer messages a second.
pub fn all_cores_but_one() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
}
