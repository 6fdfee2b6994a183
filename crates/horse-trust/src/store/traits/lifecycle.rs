//! Whether the store works, and its end.

use async_trait::async_trait;

use crate::store::error::Result;

/// Whether the store works, and its end.
#[async_trait]
pub trait Lifecycle: Send + Sync + 'static {
    /// Whether the store answers, for reading and for writing, within two seconds.
    async fn ping(&self) -> Result<()>;

    /// Commits what is queued, lets its calls run, and closes. Later appends fail.
    async fn close(&self);
}
