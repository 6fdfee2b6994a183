//! When to send, at a fixed rate.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// The same in every run, so that each server meets the same bursts and pauses.
const SEED: u64 = 0x6d61_7265;

/// A Poisson process: many people, each writing when he pleases, at a given rate in all.
///
/// The intended times do not depend on how fast the server answers, so a server that stalls is charged for what
/// it should have taken meanwhile. The kernel's timer is used for tokio's own has a millisecond's grain.
pub(crate) struct Pacer {
    timer: AsyncFd<OwnedFd>,
    next: Instant,
    mean: f64,
    random: fastrand::Rng,
}

impl Pacer {
    /// Begins now, with `per_second` times a second on average.
    pub(crate) fn new(per_second: f64) -> Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(unsafe_code, reason = "tokio has no safe way to wait for a timer of the kernel")]
        // SAFETY: an `OwnedFd` stays the same open descriptor as long as it lives, and the `AsyncFd` owns it.
        let timer = unsafe { AsyncFd::register(timer) }?;
        Ok(Self {
            timer,
            next: Instant::now(),
            mean: 1.0 / per_second,
            random: fastrand::Rng::with_seed(SEED),
        })
    }

    /// Waits for the next intended time and returns it; it is in the past if this program was late.
    pub(crate) async fn tick(&mut self) -> Result<Instant> {
        self.next += exponential(&mut self.random, self.mean);
        let wait = self.next.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            self.wait(wait).await?;
        }
        Ok(self.next)
    }

    /// One of `count` things, at random; the same choice in every run.
    pub(crate) fn choose(&mut self, count: usize) -> usize {
        self.random.usize(..count)
    }

    async fn wait(&self, duration: Duration) -> Result<()> {
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec::try_from(duration)?,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut guard = self.timer.readable().await?;
            let mut expirations = [0; 8];
            let read = guard.try_io(|timer| Ok(rustix::io::read(timer, &mut expirations)?));
            if let Ok(read) = read {
                read?;
                return Ok(());
            }
        }
    }
}

/// A random duration with an exponential distribution around `mean` seconds.
pub(crate) fn exponential(random: &mut fastrand::Rng, mean: f64) -> Duration {
    Duration::from_secs_f64(-mean * (1.0 - random.f64()).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_many_pauses_is_the_mean() {
        let mut random = fastrand::Rng::with_seed(1);
        let sum: Duration = (0..100_000).map(|_| exponential(&mut random, 0.01)).sum();
        assert!((sum.as_secs_f64() - 1000.0).abs() < 15.0, "{sum:?}");
    }

    #[tokio::test]
    async fn ticks_come_at_the_rate_and_never_early() {
        let mut pacer = Pacer::new(10_000.0).unwrap();
        let start = pacer.next;
        for _ in 0..1000 {
            let intended = pacer.tick().await.unwrap();
            assert!(Instant::now() >= intended);
        }
        let planned = pacer.next - start;
        assert!((0.09..0.11).contains(&planned.as_secs_f64()), "1 000 ticks of 0.1 ms in {planned:?}");
    }
}
