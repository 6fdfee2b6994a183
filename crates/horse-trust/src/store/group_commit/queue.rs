//! The writes between the callers and the engine, in their order, bounded in bytes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::custom::Custom;
use super::write::Write;
use crate::store::error::StoreError;

/// How many writes one transaction takes at most.
const BATCH: usize = 512;
/// How many bytes all writes may hold, from the push until the callback was called. What comes beyond fails at once.
/// As each counts for 1 KiB at least, they are 65 536 at most.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Queue<C> {
    state: Mutex<State<C>>,
    /// Those of writes whose callback was not called yet, wherever they are.
    bytes: AtomicUsize,
    max_bytes: usize,
}

struct State<C> {
    writes: VecDeque<Write<C>>,
    is_closed: bool,
    /// Of the engine while it waits for a write.
    waker: Option<Waker>,
}

impl<C: Custom> Queue<C> {
    pub(super) fn new(max_bytes: usize) -> Self {
        let state = State { writes: VecDeque::new(), is_closed: false, waker: None };
        Self { state: Mutex::new(state), bytes: AtomicUsize::new(0), max_bytes }
    }

    /// Adds a write; gives it back, failed, if the queue is full or closed.
    pub(super) fn push(&self, mut write: Write<C>) -> Result<(), Write<C>> {
        let bytes = write.bytes();
        let mut state = self.state.lock();
        let refused = if state.is_closed {
            Some(StoreError::closed())
        } else if self.bytes.load(Ordering::Relaxed) + bytes > self.max_bytes {
            Some(StoreError::Engine("too many writes wait for the store".into()))
        } else {
            None
        };
        if let Some(error) = refused {
            drop(state);
            write.fail(&error);
            return Err(write);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        state.writes.push_back(write);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Everything that waits, up to a batch; `None` when the queue is closed and empty.
    pub(super) async fn next_batch(&self) -> Option<Vec<Write<C>>> {
        poll_fn(|context| {
            let mut state = self.state.lock();
            if !state.writes.is_empty() {
                let count = state.writes.len().min(BATCH);
                Poll::Ready(Some(state.writes.drain(..count).collect()))
            } else if state.is_closed {
                Poll::Ready(None)
            } else {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Everything that waits.
    pub(super) fn take_all(&self) -> Vec<Write<C>> {
        self.state.lock().writes.drain(..).collect()
    }

    /// Gives back the bytes of writes whose callbacks are called.
    pub(super) fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes no more writes; those that wait are still committed.
    pub(super) fn close(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.is_closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.state.lock().writes.len()
    }
}
