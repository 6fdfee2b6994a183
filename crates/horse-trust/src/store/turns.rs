//! Turns of reads: a few connections serve many reads, first come, first served.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::{Result, StoreError};

/// How many reads may wait for a connection; more fail at once. Each holds about 1 kB.
const MAX_WAITING: usize = 16_384;

/// Hands out connections.
pub(super) struct Turns {
    connections: Arc<Semaphore>,
    waiting: Semaphore,
    patience: Duration,
}

/// The right to use one of the connections, until it is dropped.
pub(super) type Turn = OwnedSemaphorePermit;

impl Turns {
    /// A read that has no turn after `patience` fails.
    pub(super) fn new(connections: usize, patience: Duration) -> Self {
        let connections = Arc::new(Semaphore::new(connections));
        Self { connections, waiting: Semaphore::new(MAX_WAITING), patience }
    }

    /// Waits for a turn.
    pub(super) async fn take(&self) -> Result<Turn> {
        let busy = || StoreError::Engine("too many reads wait for the store".into());
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let turn = timeout(self.patience, Arc::clone(&self.connections).acquire_owned()).await;
        turn.map_err(|_| busy())?.map_err(|_| StoreError::closed())
    }

    /// Gives out no more turns; reads that wait fail.
    pub(super) fn close(&self) {
        self.connections.close();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::time::{Instant, sleep};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3);

    fn text(result: Result<Turn>) -> String {
        result.expect_err("there is no turn").to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_first_has_the_first_turn() {
        let turns = Arc::new(Turns::new(1, PATIENCE));
        let first = turns.take().await.unwrap();
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..100 {
            let (turns, sender) = (Arc::clone(&turns), sender.clone());
            tokio::spawn(async move {
                let _turn = turns.take().await.unwrap();
                sender.send(number).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop((first, sender));
        let mut found = Vec::new();
        while let Some(number) = order.recv().await {
            found.push(number);
        }
        assert_eq!(found, (0..100).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_turn_in_time_fails_and_leaves_no_trace() {
        let turns = Turns::new(1, PATIENCE);
        let held = turns.take().await.unwrap();
        let begun = Instant::now();
        assert_eq!(text(turns.take().await), "too many reads wait for the store");
        assert_eq!(begun.elapsed(), PATIENCE);
        drop(held);
        assert!(turns.take().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_that_wait_are_refused_at_once() {
        let turns = Arc::new(Turns::new(1, PATIENCE));
        let held = turns.take().await.unwrap();
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.take().await.map(drop) })
            })
            .collect();
        sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        assert_eq!(text(turns.take().await), "too many reads wait for the store");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(held);
        assert!(join_all(waiting).await.into_iter().all(|result| result.unwrap().is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_store_gives_no_turns() {
        let turns = Arc::new(Turns::new(1, PATIENCE));
        let held = turns.take().await.unwrap();
        let waiting = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.take().await.map(drop) }
        });
        sleep(Duration::from_millis(1)).await;
        turns.close();
        assert_eq!(waiting.await.unwrap().unwrap_err().to_string(), "the store is closed");
        drop(held);
    }
}
