//! The group commit over an engine that commits as a test says.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use super::commit::GroupCommit;
use super::engine::Engine;
use super::write::Write;
use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::types::{Change, Changed, Conversation};
use crate::timestamp::Timestamp;

/// What the engine does with its next batches; nothing is commit.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Panic,
    /// Fails after that time.
    Fail(Duration),
}

/// Takes a permit for each batch, and counts.
struct TestEngine {
    permits: Arc<Semaphore>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    batches: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Engine for TestEngine {
    type Custom = Infallible;

    fn name(&self) -> String {
        "a test".to_owned()
    }

    async fn commit(&mut self, writes: &mut [Write<Infallible>]) -> Result<()> {
        self.permits.acquire().await.unwrap().forget();
        self.batches.fetch_add(1, Ordering::Relaxed);
        let outcome = self.outcomes.lock().pop();
        match outcome {
            Some(Outcome::Panic) => panic!("on purpose"),
            Some(Outcome::Fail(after)) => {
                sleep(after).await;
                return Err(StoreError::Engine("on purpose".into()));
            }
            None => {}
        }
        for write in writes {
            match write {
                Write::Change(change) => change.resolve(Ok(Changed::TooLate)),
                Write::Touch(pending) | Write::Flush(pending) => pending.resolve(Ok(())),
                _ => unreachable!("no other write is in these tests"),
            }
        }
        Ok(())
    }

    fn close(self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }
}

struct Bench {
    writes: GroupCommit<Infallible>,
    permits: Arc<Semaphore>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    batches: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl Bench {
    fn start(max_bytes: usize) -> Self {
        let permits = Arc::new(Semaphore::new(0));
        let (outcomes, batches, closed) = Default::default();
        let engine = TestEngine {
            permits: Arc::clone(&permits),
            outcomes: Arc::clone(&outcomes),
            batches: Arc::clone(&batches),
            closed: Arc::clone(&closed),
        };
        let (writes, work) = GroupCommit::with_bound(engine, max_bytes);
        tokio::spawn(work);
        Self { writes, permits, outcomes, batches, closed }
    }

    /// Lets that many batches through.
    fn permit(&self, batches: usize) {
        self.permits.add_permits(batches);
    }

    /// Pushes an edit whose text has that many bytes.
    fn push(&self, bytes: usize) -> oneshot::Receiver<Result<Changed>> {
        let (sender, receiver) = oneshot::channel();
        let callback = Box::new(move |outcome| drop(sender.send(outcome)));
        self.writes.push(Write::change(change(bytes), callback));
        receiver
    }
}

fn change(bytes: usize) -> Change {
    let conversation = Arc::new(Conversation {
        key: 1,
        id: Id::parse("c").unwrap(),
        participants: ["ann", "ben"].map(|user| Id::parse(user).unwrap()),
        horse_id: None,
        created_at: Timestamp(0),
    });
    Change { conversation, seq: 1, text: Some("x".repeat(bytes)), window: None, is_erasure: false }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(30), future).await.expect("nothing came for 30 s")
}

#[tokio::test(start_paused = true)]
async fn writes_beyond_the_bound_in_bytes_fail_until_callbacks_have_run() {
    // A write counts for 1 KiB and twice its text: four of these fit, and a small one.
    let bench = Bench::start(4 * 9 * 1024 + 1024);
    let accepted: Vec<_> = (0..4).map(|_| bench.push(4096)).collect();
    let error = soon(bench.push(4096)).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "too many writes wait for the store");
    let small = bench.push(0);
    assert!(soon(bench.push(0)).await.unwrap().is_err());
    bench.permit(5);
    for outcome in accepted.into_iter().chain([small]) {
        assert!(soon(outcome).await.unwrap().is_ok());
    }
    soon(bench.writes.flush()).await.unwrap();
    assert!(soon(bench.push(4096)).await.unwrap().is_ok(), "there is room again");
}

#[tokio::test(start_paused = true)]
async fn callbacks_run_in_the_order_of_pushes_over_many_batches() {
    let bench = Bench::start(usize::MAX);
    bench.permit(1000);
    let order = Arc::new(Mutex::new(Vec::new()));
    for number in 0..2000 {
        let order = Arc::clone(&order);
        let callback = Box::new(move |outcome: Result<()>| {
            outcome.unwrap();
            order.lock().push(number);
        });
        bench.writes.push(Write::touch(callback));
        if number % 700 == 0 {
            tokio::task::yield_now().await;
        }
    }
    soon(bench.writes.flush()).await.unwrap();
    assert_eq!(*order.lock(), (0..2000).collect::<Vec<_>>());
    assert!(bench.batches.load(Ordering::Relaxed) >= 4);
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_batch_that_failed_fails_with_it() {
    for after in [Duration::ZERO, Duration::from_secs(5)] {
        let bench = Bench::start(usize::MAX);
        bench.outcomes.lock().push(Outcome::Fail(after));
        let first = bench.push(1);
        tokio::task::yield_now().await;
        let waiting: Vec<_> = (0..1000).map(|_| bench.push(1)).collect();
        bench.permit(10);
        for outcome in [first].into_iter().chain(waiting) {
            assert_eq!(soon(outcome).await.unwrap().unwrap_err().to_string(), "on purpose");
        }
        assert_eq!(bench.batches.load(Ordering::Relaxed), 1);
        assert!(soon(bench.push(1)).await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_batch_or_its_callback_alone() {
    let bench = Bench::start(usize::MAX);
    bench.outcomes.lock().push(Outcome::Panic);
    bench.permit(10);
    assert!(soon(bench.push(1)).await.unwrap().is_err());
    let callback = Box::new(|_: Result<()>| panic!("on purpose"));
    bench.writes.push(Write::touch(callback));
    assert!(soon(bench.push(1)).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn closing_commits_what_is_queued_and_refuses_what_comes_later() {
    let bench = Bench::start(usize::MAX);
    bench.permit(10);
    let mut queued: Vec<_> = (0..600).map(|_| bench.push(1)).collect();
    soon(bench.writes.close()).await;
    for outcome in &mut queued {
        assert!(outcome.try_recv().expect("its callback has run").is_ok());
    }
    assert_eq!(soon(bench.push(1)).await.unwrap().unwrap_err().to_string(), "the store is closed");
    assert_eq!(bench.closed.load(Ordering::Relaxed), 1);
    soon(bench.writes.close()).await;
}
