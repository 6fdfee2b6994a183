//! The task that calls the callbacks, in the order of commits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::custom::Custom;
use super::queue::Queue;
use super::write::Write;

/// After how many callbacks other tasks have their turn, so that what the callbacks sent goes out.
const CALLBACKS_AT_ONCE: usize = 32;

/// Writes that have an outcome.
pub(super) enum Outcomes<C> {
    /// They were in the queue, and count in its bound until their callbacks are called.
    Of(Vec<Write<C>>),
    /// The queue took none of it.
    Refused(Write<C>),
}

/// Hands writes over to the task.
pub(super) type Callbacks<C> = mpsc::UnboundedSender<Outcomes<C>>;

/// Starts the task; it ends when all its handles are gone. What it holds is bounded by `queue`.
pub(super) fn start<C: Custom>(queue: Arc<Queue<C>>) -> Callbacks<C> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(outcomes) = receiver.recv().await {
            match outcomes {
                Outcomes::Of(writes) => call_back_all(writes, &queue).await,
                Outcomes::Refused(write) => call_back(write),
            }
        }
    });
    sender
}

async fn call_back_all<C: Custom>(writes: Vec<Write<C>>, queue: &Queue<C>) {
    let mut bytes = 0;
    for (count, write) in (1..).zip(writes) {
        bytes += write.bytes();
        call_back(write);
        if count % CALLBACKS_AT_ONCE == 0 {
            queue.release(std::mem::take(&mut bytes));
            tokio::task::yield_now().await;
        }
    }
    queue.release(bytes);
}

/// A callback's panic is its caller's: the others are called all the same.
fn call_back<C: Custom>(write: Write<C>) {
    if catch_unwind(AssertUnwindSafe(|| write.call_back())).is_err() {
        tracing::error!("a panic in the callback of a write");
    }
}
