//! What the writer is asked to do; it tells what came of it after the commit.

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::closed;
use crate::store::{Appended, Message, NewMessage, Result, StoreError};

/// One entry of a batch.
pub(super) enum Job {
    /// A message to store.
    Append {
        message: NewMessage,
        appended: Appended,
        /// What came of it; `None` until it was tried.
        stored: Option<Result<Message>>,
    },
    /// Any other write.
    Write(Box<dyn Write>),
}

/// A write that somebody waits for.
pub(super) trait Write: Send {
    /// Does it, within the transaction of the batch.
    fn run(&mut self, connection: &Connection) -> Result<()>;
    /// The batch was not committed: whatever [`Write::run`] found does not count.
    fn fail(&mut self, error: &StoreError);
    /// Answers the one who waits.
    fn tell(self: Box<Self>);
}

impl Job {
    pub(super) fn append(message: NewMessage, appended: Appended) -> Self {
        Self::Append { message, appended, stored: None }
    }

    /// `work` runs within the transaction; its result is sent after the commit.
    pub(super) fn write<T: Send + 'static>(
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
        sender: oneshot::Sender<Result<T>>,
    ) -> Self {
        Self::Write(Box::new(Request { work: Some(work), result: None, sender }))
    }

    pub(super) fn fail(&mut self, error: &StoreError) {
        match self {
            Self::Append { stored, .. } => *stored = Some(Err(error.clone())),
            Self::Write(write) => write.fail(error),
        }
    }

    pub(super) fn tell(self) {
        match self {
            Self::Append { message, appended, stored } => {
                appended(stored.unwrap_or_else(|| Err(closed())).map(|stored| (message, stored)));
            }
            Self::Write(write) => write.tell(),
        }
    }
}

struct Request<T, W> {
    work: Option<W>,
    result: Option<Result<T>>,
    sender: oneshot::Sender<Result<T>>,
}

impl<T: Send, W: FnOnce(&Connection) -> Result<T> + Send> Write for Request<T, W> {
    fn run(&mut self, connection: &Connection) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let (outcome, result) = match work(connection) {
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
        // Who has stopped waiting does not want to know.
        drop(self.sender.send(self.result.unwrap_or_else(|| Err(closed()))));
    }
}
