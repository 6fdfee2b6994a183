//! A write in the queue: its input, its outcome and its callback.

use super::custom::Custom;
use crate::callback::Callback;
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::types::{Change, Changed, MarkRead, NewMessage, Read, Stored};

/// What each write counts for in the bound of the queue, beside its texts: itself, its outcome, and what its callback
/// holds.
const BASE_BYTES: usize = 1024;

/// A write, from the moment it is asked for until its callback is called. `C` is what one engine alone writes.
pub(in crate::store) enum Write<C> {
    /// Stores a message.
    Append(Box<Pending<NewMessage, Stored>>),
    /// Edits or deletes a message.
    Change(Box<Pending<Change, Changed>>),
    /// Marks messages as read.
    MarkRead(Box<Pending<MarkRead, Read>>),
    /// Sets or lifts a block.
    SetBlock(Box<Pending<BlockChange, ()>>),
    /// Commits something that changes nothing, to see whether commits work.
    Touch(Box<Pending<(), ()>>),
    /// Commits nothing: its callback shows that those before it have run.
    Flush(Box<Pending<(), ()>>),
    /// A write of one engine.
    Custom(C),
}

/// A block that is set or lifted.
pub(in crate::store) struct BlockChange {
    pub(in crate::store) blocker: Id,
    pub(in crate::store) blocked: Id,
    pub(in crate::store) is_blocked: bool,
}

/// The input of a write, its outcome once there is one, and the callback that gets it.
pub(in crate::store) struct Pending<I, T> {
    pub(in crate::store) input: I,
    outcome: Option<Result<T>>,
    callback: Callback<Result<T>>,
}

impl<I, T> Pending<I, T> {
    pub(in crate::store) fn new(input: I, callback: Callback<Result<T>>) -> Self {
        Self { input, outcome: None, callback }
    }

    /// Sets the outcome; it counts once the batch is committed.
    pub(in crate::store) fn resolve(&mut self, outcome: Result<T>) {
        self.outcome = Some(outcome);
    }

    /// Whether it has an outcome.
    pub(in crate::store) fn is_resolved(&self) -> bool {
        self.outcome.is_some()
    }

    /// Calls the callback.
    pub(in crate::store) fn call_back(self) {
        (self.callback)(self.outcome.unwrap_or_else(|| Err(StoreError::closed())));
    }
}

impl<C: Custom> Write<C> {
    pub(in crate::store) fn append(message: NewMessage, callback: Callback<Result<Stored>>) -> Self {
        Self::Append(Box::new(Pending::new(message, callback)))
    }

    pub(in crate::store) fn change(change: Change, callback: Callback<Result<Changed>>) -> Self {
        Self::Change(Box::new(Pending::new(change, callback)))
    }

    pub(in crate::store) fn mark_read(mark: MarkRead, callback: Callback<Result<Read>>) -> Self {
        Self::MarkRead(Box::new(Pending::new(mark, callback)))
    }

    pub(in crate::store) fn set_block(change: BlockChange, callback: Callback<Result<()>>) -> Self {
        Self::SetBlock(Box::new(Pending::new(change, callback)))
    }

    pub(in crate::store) fn touch(callback: Callback<Result<()>>) -> Self {
        Self::Touch(Box::new(Pending::new((), callback)))
    }

    pub(in crate::store) fn flush(callback: Callback<Result<()>>) -> Self {
        Self::Flush(Box::new(Pending::new((), callback)))
    }

    /// How many bytes it holds until its callback was called.
    pub(super) fn bytes(&self) -> usize {
        BASE_BYTES
            + match self {
                // Once in the input, once in the outcome.
                Self::Append(append) => 2 * append.input.bytes(),
                Self::Change(change) => 2 * change.input.text.as_ref().map_or(0, String::len),
                Self::MarkRead(_) | Self::SetBlock(_) | Self::Touch(_) | Self::Flush(_) => 0,
                Self::Custom(custom) => custom.bytes(),
            }
    }

    /// Makes `error` the outcome.
    pub(in crate::store) fn fail(&mut self, error: &StoreError) {
        match self {
            Self::Append(append) => append.resolve(Err(error.clone())),
            Self::Change(change) => change.resolve(Err(error.clone())),
            Self::MarkRead(mark) => mark.resolve(Err(error.clone())),
            Self::SetBlock(block) => block.resolve(Err(error.clone())),
            Self::Touch(pending) | Self::Flush(pending) => pending.resolve(Err(error.clone())),
            Self::Custom(custom) => custom.fail(error),
        }
    }

    /// Calls the callback with the outcome.
    pub(super) fn call_back(self) {
        match self {
            Self::Append(append) => append.call_back(),
            Self::Change(change) => change.call_back(),
            Self::MarkRead(mark) => mark.call_back(),
            Self::SetBlock(block) => block.call_back(),
            Self::Touch(pending) | Self::Flush(pending) => pending.call_back(),
            Self::Custom(custom) => custom.call_back(),
        }
    }
}
