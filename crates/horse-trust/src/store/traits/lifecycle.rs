//! Whether the store works, and its end.

use async_trait::async_trait;

use crate::store::error::Result;

/// Whether the store works, and its end.
#[async_trait]
pub trait Lifecycle: Send + Sync + 'static {
    /// Whether the store answers, for reading and for writing, within two seconds.
    async fn ping(&self) -> Result<()>;

    /// Waits until the callback of every write that this process committed before was called.
    async fn flush(&self) -> Result<()>;

    /// Commits what is queued, lets its callbacks run, and closes. Later writes fail.
    async fn close(&self);
}
