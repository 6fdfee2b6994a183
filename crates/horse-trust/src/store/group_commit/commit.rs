//! The handle that callers push writes to, and the loop that has the engine commit them.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::callbacks::{self, Callbacks, Outcomes};
use super::custom::Custom;
use super::engine::Engine;
use super::queue::{MAX_BYTES, Queue};
use super::write::Write;
use crate::callback::Callback;
use crate::store::error::{Result, StoreError};

/// A handle on the queue. When it is dropped, what is queued is still committed.
pub(in crate::store) struct GroupCommit<C: Custom> {
    queue: Arc<Queue<C>>,
    callbacks: Callbacks<C>,
    /// Resolves when the engine is closed; fails if it ended in a panic. `None` once [`GroupCommit::close`] has it.
    end: Mutex<Option<oneshot::Receiver<()>>>,
}

impl<C: Custom> GroupCommit<C> {
    /// The handle, and the loop that commits, which the caller runs on a task or on a thread of its own. Has to be
    /// called on a tokio runtime, where callbacks are called.
    pub(in crate::store) fn new<E: Engine<Custom = C>>(
        engine: E,
    ) -> (Self, impl Future<Output = ()> + Send + use<E, C>) {
        Self::with_bound(engine, MAX_BYTES)
    }

    /// [`GroupCommit::new`], with another bound of the queue.
    pub(super) fn with_bound<E: Engine<Custom = C>>(
        engine: E,
        max_bytes: usize,
    ) -> (Self, impl Future<Output = ()> + Send + use<E, C>) {
        let queue = Arc::new(Queue::new(max_bytes));
        let callbacks = callbacks::start(Arc::clone(&queue));
        let (ended, end) = oneshot::channel();
        let work = run(engine, Arc::clone(&queue), callbacks.clone(), ended);
        (Self { queue, callbacks, end: Mutex::new(Some(end)) }, work)
    }

    /// Queues a write. One that the queue refuses fails in its turn, behind what was committed before.
    pub(in crate::store) fn push(&self, write: Write<C>) {
        if let Err(refused) = self.queue.push(write)
            && let Err(failed) = self.callbacks.send(Outcomes::Refused(refused))
            && let Outcomes::Refused(write) = failed.0
        {
            // The runtime has ended: there is no turn to wait for.
            write.call_back();
        }
    }

    /// Waits until the callback of every write that was pushed before was called.
    pub(in crate::store) async fn flush(&self) -> Result<()> {
        self.outcome(Write::flush).await
    }

    /// Commits something that changes nothing.
    pub(in crate::store) async fn touch(&self) -> Result<()> {
        self.outcome(Write::touch).await
    }

    async fn outcome(&self, write: impl FnOnce(Callback<Result<()>>) -> Write<C>) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        // A caller that stopped waiting does not need the outcome.
        self.push(write(Box::new(move |outcome| drop(sender.send(outcome)))));
        receiver.await.unwrap_or_else(|_| Err(StoreError::closed()))
    }

    /// Commits what is queued, closes the engine, and returns when every callback was called. Later writes fail.
    pub(in crate::store) async fn close(&self) {
        self.queue.close();
        let end = self.end.lock().take();
        let Some(end) = end else { return };
        if end.await.is_err() {
            tracing::error!("the store's writer ended in a panic");
        }
        // The last batch was handed over. The queue refuses this, so its callback comes right behind that batch's.
        drop(self.flush().await);
    }

    /// How many writes wait for the engine.
    #[cfg(test)]
    pub(in crate::store) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl<C: Custom> Drop for GroupCommit<C> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

async fn run<E: Engine>(
    mut engine: E,
    queue: Arc<Queue<E::Custom>>,
    callbacks: Callbacks<E::Custom>,
    ended: oneshot::Sender<()>,
) {
    while let Some(mut writes) = queue.next_batch().await {
        if let Err(error) = commit(&mut engine, &mut writes).await {
            tracing::error!(%error, database = %engine.name(), "a batch was not committed");
            // What is queued fails, too. A client sends a failed message again, and then it would come behind those that the
            // same client sent after it and that the next batch committed.
            writes.extend(queue.take_all());
            for write in &mut writes {
                write.fail(&error);
            }
        }
        if callbacks.send(Outcomes::Of(writes)).is_err() {
            tracing::error!("the runtime ended before the store");
            queue.close();
            break;
        }
        engine.after_commit();
    }
    engine.close();
    let _nobody_has_to_wait = ended.send(());
}

/// Has the engine commit a batch; its panic is an error like another.
async fn commit<E: Engine>(engine: &mut E, writes: &mut [Write<E::Custom>]) -> Result<()> {
    let mut commit = pin!(engine.commit(writes));
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| commit.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(StoreError::Engine("a panic while writing".into()))))
    })
    .await
}
