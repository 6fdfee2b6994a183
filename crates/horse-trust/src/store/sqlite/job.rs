//! Writes that only this engine has: closures that run within the transaction of a batch.

use rusqlite::Connection;

use crate::callback::Callback;
use crate::store::error::{Result, StoreError};
use crate::store::group_commit::{Custom, Pending};

/// A closure, and the callback that gets its result.
pub(super) struct Job {
    work: Box<dyn Work>,
    bytes: usize,
}

trait Work: Send {
    fn run(&mut self, connection: &Connection) -> Result<()>;
    fn fail(&mut self, error: &StoreError);
    fn call_back(self: Box<Self>);
}

impl Job {
    /// `work` holds about that many `bytes`, beyond a small struct.
    pub(super) fn new<T: Send + 'static>(
        bytes: usize,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        callback: Callback<Result<T>>,
    ) -> Self {
        Self { work: Box::new(Request { work: Some(work), pending: Pending::new((), callback) }), bytes }
    }

    /// Runs the closure and keeps its result; an error is what has to be undone.
    pub(super) fn run(&mut self, connection: &Connection) -> Result<()> {
        self.work.run(connection)
    }
}

impl Custom for Job {
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn fail(&mut self, error: &StoreError) {
        self.work.fail(error);
    }

    fn call_back(self) {
        self.work.call_back();
    }
}

struct Request<T, W> {
    work: Option<W>,
    pending: Pending<(), T>,
}

impl<T: Send, W: FnOnce(&Connection) -> Result<T> + Send> Work for Request<T, W> {
    fn run(&mut self, connection: &Connection) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let result = work(connection);
        let outcome = result.as_ref().map(drop).map_err(StoreError::clone);
        self.pending.resolve(result);
        outcome
    }

    fn fail(&mut self, error: &StoreError) {
        self.pending.resolve(Err(error.clone()));
    }

    fn call_back(self: Box<Self>) {
        self.pending.call_back();
    }
}
