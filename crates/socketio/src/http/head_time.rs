//! The time for the head of a request, apart from the time that a connection may idle between requests.
//!
//! hyper has one timer for both: it starts when the connection waits for a request. So hyper's is the longer one, for
//! idling, and this watches the bytes beneath hyper for the shorter one. Both exist only while a connection speaks
//! HTTP; a WebSocket has neither.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request has come.
    Idle,
    /// The head of a request has begun, or for the first request, the connection.
    Head { since: Instant },
    /// A request is in work, or its response on its way.
    Busy,
}

/// What the stream, the service and the timer of one connection know of each other. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct HeadTime(Arc<Mutex<Phase>>);

impl HeadTime {
    /// A connection that was just accepted: its first request is due.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Phase::Head { since: Instant::now() })))
    }

    /// Bytes came.
    pub(crate) fn received(&self) {
        let mut phase = self.0.lock();
        if *phase == Phase::Idle {
            *phase = Phase::Head { since: Instant::now() };
        }
    }

    /// A head is whole. The connection is busy until the answer is dropped.
    pub(crate) fn request(&self) -> Busy {
        *self.0.lock() = Phase::Busy;
        Busy(self.clone())
    }

    /// Ready when a head has taken longer than `limit`. Call it after the connection was polled, from the same task:
    /// nothing else changes the phase, so nothing else has to wake it.
    pub(crate) fn poll_over(
        &self,
        cx: &mut Context<'_>,
        sleep: Pin<&mut Sleep>,
        limit: Duration,
    ) -> Poll<()> {
        let Phase::Head { since } = *self.0.lock() else { return Poll::Pending };
        let mut sleep = sleep;
        if sleep.deadline() != since + limit {
            sleep.as_mut().reset(since + limit);
        }
        sleep.poll(cx)
    }
}

/// A request in work.
#[derive(Debug)]
pub(crate) struct Busy(HeadTime);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.0.lock() = Phase::Idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// How long from now until the head has taken too long; `None` if that is not within an hour.
    async fn time_left(time: &HeadTime) -> Option<Duration> {
        let begin = Instant::now();
        let mut sleep = std::pin::pin!(tokio::time::sleep(LIMIT));
        let over = std::future::poll_fn(|cx| time.poll_over(cx, sleep.as_mut(), LIMIT));
        tokio::time::timeout(Duration::from_hours(1), over).await.ok().map(|()| begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_and_idling_has_none() {
        let time = HeadTime::new();
        assert_eq!(time_left(&time).await, Some(LIMIT), "the first request is due from the start on");
        let busy = time.request();
        assert_eq!(time_left(&time).await, None, "an answer may take as long as it takes");
        time.received();
        assert_eq!(time_left(&time).await, None, "a body is no head");
        drop(busy);
        assert_eq!(time_left(&time).await, None, "an idle connection is hyper's to close");
        time.received();
        tokio::time::advance(Duration::from_secs(5)).await;
        time.received();
        assert_eq!(time_left(&time).await, Some(Duration::from_secs(15)), "counted from the first byte");
    }
}
