//! What waits for the writer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job::Job;
use crate::store::error::StoreError;

/// How many jobs one transaction takes at most.
const BATCH: usize = 512;
/// How many jobs may wait; more fail at once.
const CAPACITY: usize = 100_000;

/// The jobs between the callers and the writer's thread.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    is_closed: bool,
    /// Whether the writer sleeps: waking it costs a system call.
    is_waited_for: bool,
}

impl Queue {
    /// Adds a job; gives it back, failed, if the queue is full or closed.
    pub(super) fn push(&self, mut job: Job) -> Result<(), Box<Job>> {
        let mut state = self.lock();
        let refused = if state.is_closed {
            Some(StoreError::closed())
        } else if state.jobs.len() >= CAPACITY {
            Some(StoreError::Engine("too many writes wait for the store".into()))
        } else {
            None
        };
        if let Some(error) = refused {
            job.fail(&error);
            return Err(Box::new(job));
        }
        state.jobs.push_back(job);
        if std::mem::take(&mut state.is_waited_for) {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Everything that waits, up to a batch; `None` when the queue is closed and empty.
    pub(super) fn next_batch(&self) -> Option<Vec<Job>> {
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.is_closed {
                return None;
            }
            state.is_waited_for = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_waited_for = false;
        let count = state.jobs.len().min(BATCH);
        Some(state.jobs.drain(..count).collect())
    }

    /// Takes no more jobs; those that wait are still done.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
