//! What the writer is asked to do; it tells what came of it after the commit.

use super::memory::Context;
use crate::store::error::{Result, StoreError};
use crate::store::types::{Done, NewMessage, Stored};

/// One entry of a batch.
pub(super) enum Job {
    /// A message to store.
    Append(Box<Append>),
    /// Any other write.
    Write(Box<dyn Write>),
}

/// A message on its way into the file.
pub(super) struct Append {
    pub(super) message: NewMessage,
    appended: Done<Stored>,
    /// What came of it; `None` until it was tried.
    pub(super) stored: Option<Result<Stored>>,
}

/// A write that somebody waits for.
pub(super) trait Write: Send {
    /// Does it, within the transaction of the batch.
    fn run(&mut self, context: &mut Context<'_>) -> Result<()>;
    /// The batch was not committed: whatever [`Write::run`] found does not count.
    fn fail(&mut self, error: &StoreError);
    /// Answers the one who waits.
    fn tell(self: Box<Self>);
}

impl Job {
    pub(super) fn append(message: NewMessage, appended: Done<Stored>) -> Self {
        Self::Append(Box::new(Append { message, appended, stored: None }))
    }

    /// `work` runs within the transaction; `done` is called with its result after the commit.
    pub(super) fn write<T: Send + 'static>(
        work: impl FnOnce(&mut Context<'_>) -> Result<T> + Send + 'static,
        done: Done<T>,
    ) -> Self {
        Self::Write(Box::new(Request { work: Some(work), result: None, done }))
    }

    pub(super) fn fail(&mut self, error: &StoreError) {
        match self {
            Self::Append(append) => append.stored = Some(Err(error.clone())),
            Self::Write(write) => write.fail(error),
        }
    }

    pub(super) fn tell(self) {
        match self {
            Self::Append(append) => {
                let Append { appended, stored, .. } = *append;
                appended(stored.unwrap_or_else(|| Err(StoreError::closed())));
            }
            Self::Write(write) => write.tell(),
        }
    }
}

struct Request<T, W> {
    work: Option<W>,
    result: Option<Result<T>>,
    done: Done<T>,
}

impl<T: Send, W: FnOnce(&mut Context<'_>) -> Result<T> + Send> Write for Request<T, W> {
    fn run(&mut self, context: &mut Context<'_>) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let (outcome, result) = match work(context) {
            Ok(value) => (Ok(()), Ok(value)),
            Err(error) => (Err(error.clone()), Err(error)),
        };
        self.result = Some(result);
        outcome
    }

    fn fail(&mut self, error: &StoreError) {
        self.result = Some(Err(error.clone()));
    }

    fn tell(self: Box<Self>) {
        (self.done)(self.result.unwrap_or_else(|| Err(StoreError::closed())));
    }
}
