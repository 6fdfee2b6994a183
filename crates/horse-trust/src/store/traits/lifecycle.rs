//! Health, and the end.

use async_trait::async_trait;

use crate::store::error::Result;

/// Health, and the end.
#[async_trait]
pub trait Lifecycle: Send + Sync + 'static {
    /// Whether reads and commits work; answers within two seconds.
    async fn ping(&self) -> Result<()>;

    /// Waits until the callbacks of all writes that this process committed before have run. A read may see a write whose
    /// callback has not run yet.
    async fn flush(&self) -> Result<()>;

    /// Commits the queued writes, waits for their callbacks, and closes. Later operations fail.
    async fn close(&self);
}
