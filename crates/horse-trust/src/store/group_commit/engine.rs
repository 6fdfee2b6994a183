//! What an engine has to do for a group commit.

use std::convert::Infallible;
use std::future::Future;

use super::write::Write;
use crate::store::error::{Result, StoreError};

/// The part of a group commit that differs between databases.
pub(in crate::store) trait Engine: Send + 'static {
    /// What this engine alone writes; [`Infallible`] if there is nothing.
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

/// A write that only one engine knows.
pub(in crate::store) trait Custom: Send + 'static {
    /// How many bytes it holds, beyond a small struct.
    fn bytes(&self) -> usize;

    /// Makes `error` its outcome.
    fn fail(&mut self, error: &StoreError);

    /// Calls its callback with its outcome.
    fn call_back(self);
}

impl Custom for Infallible {
    fn bytes(&self) -> usize {
        match *self {}
    }

    fn fail(&mut self, _: &StoreError) {
        match *self {}
    }

    fn call_back(self) {
        match self {}
    }
}
