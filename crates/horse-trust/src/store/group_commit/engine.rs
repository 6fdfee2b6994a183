//! What an engine has to do for a group commit.

use std::future::Future;

use super::custom::Custom;
use super::write::Write;
use crate::store::error::Result;

/// The part of a group commit that differs between databases.
pub(in crate::store) trait Engine: Send + 'static {
    /// What this engine alone writes; [`Infallible`](std::convert::Infallible) if there is nothing.
    type Custom: Custom;

    /// What its database is, for the log.
    fn name(&self) -> String;

    /// Commits `writes` in their order, as one transaction, durably, and resolves each ([`Pending::resolve`]). A write
    /// that fails alone is resolved with its error and takes no other with it.
    ///
    /// After an error, or a panic, nothing of the batch counts as stored: all of it fails with that error.
    ///
    /// [`Pending::resolve`]: super::Pending::resolve
    fn commit(&mut self, writes: &mut [Write<Self::Custom>]) -> impl Future<Output = Result<()>> + Send;

    /// Called after each batch, when its outcomes are on their way to the callbacks.
    fn after_commit(&mut self) {}

    /// Called once, after the last batch.
    fn close(self);
}
