//! Why a store operation failed.

use std::sync::Arc;

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The e-mail belongs to another account.
    #[error("the e-mail is taken")]
    EmailTaken,
    /// One participant has blocked the other, and nothing was stored. Only from a store of several nodes: with one node the
    /// chat knows every block itself.
    #[error("one of the two has blocked the other")]
    Blocked {
        /// Whether the sender has blocked the recipient, not the other way round.
        by_sender: bool,
    },
    /// The sender has used this idempotency key for another message: of another conversation or with another text. Nothing
    /// was stored.
    #[error("client_id was used for another message")]
    ClientIdUsed,
    /// The engine failed, is overloaded, or is closed; the text is for the log alone.
    #[error("{0}")]
    Engine(Arc<str>),
}

impl StoreError {
    /// The store is closed, or its writer is gone.
    pub(super) fn closed() -> Self {
        Self::Engine("the store is closed".into())
    }
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;
