//! What waits for the writer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::closed;
use super::job::Job;
use crate::store::StoreError;

/// How many jobs one transaction takes at most.
const BATCH: usize = 512;
/// How many jobs may wait; more fail at once.
const CAPACITY: usize = 100_000;

/// How long the writer waits for the rest of a group. A sync costs about as much for fifty messages as for
/// one, so when many wrote at once a moment ago, it pays to let the others catch up.
const WINDOW: Duration = Duration::from_micros(1500);

/// For how many batches the writer does not wait after it waited and nobody came.
const IMPATIENT: u32 = 16;

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
    /// For how many jobs the writer sleeps, 0 if it does not: waking it costs a system call.
    awaited: usize,
    /// For how many batches more the writer does not wait.
    impatient: u32,
    /// How many jobs the last two batches had together: how many callers are at work.
    recent: [usize; 2],
}

impl Queue {
    /// Adds a job; gives it back, failed, if the queue is full or closed.
    pub(super) fn push(&self, mut job: Job) -> Result<(), Box<Job>> {
        let mut state = self.lock();
        let refused = if state.is_closed {
            Some(closed())
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
        if state.awaited > 0 && state.jobs.len() >= state.awaited {
            state.awaited = 0;
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
            state.awaited = 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Callers that wait for their answers before they write again come in turns: the last two batches
        // together are all of them. One that writes alone is never made to wait.
        let group = (state.recent[0] + state.recent[1]).min(BATCH);
        if state.impatient > 0 {
            state.impatient -= 1;
        } else if state.jobs.len() < group && group > 2 && !state.is_closed {
            let before = state.jobs.len();
            state.awaited = group;
            let waited = self.filled.wait_timeout(state, WINDOW).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            // All callers wait for this very batch, as when one sends many messages and then waits.
            if state.jobs.len() == before {
                state.impatient = IMPATIENT;
            }
        }
        state.awaited = 0;
        let count = state.jobs.len().min(BATCH);
        state.recent = [state.recent[1], count];
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
