//! Everybody connects at once, as after a restart.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{CpuMeter, Outcome, Target, as_f64};
use crate::client::{Client, source};
use crate::stats::Latencies;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) connections: usize,
    /// A connection that has no CONNECT by then has failed. Nobody tries twice.
    pub(crate) limit: Duration,
}

/// Runs the scenario; failed connections are a figure, but all of them failing is an error.
pub(crate) async fn run(target: &Target, options: Options) -> Result<Outcome> {
    target.require_users(options.connections)?;
    let latencies = Rc::new(RefCell::new(Latencies::new()));
    let connected = Rc::new(Cell::new(0));
    let auths = Rc::new(target.auths.clone());
    let settled = Rc::new(Notify::new());
    let waiting = Rc::new(Cell::new(options.connections));
    let first_error = super::FirstError::default();

    let meter = CpuMeter::start(target.pid)?;
    let began = Instant::now();
    // Dropping the set closes the connections; until then the first to connect stay while the last do.
    let mut tasks = JoinSet::new();
    for index in 0..options.connections {
        let (latencies, connected, waiting) =
            (Rc::clone(&latencies), Rc::clone(&connected), Rc::clone(&waiting));
        let (auths, settled) = (Rc::clone(&auths), Rc::clone(&settled));
        let (address, first_error) = (target.address(index), first_error.clone());
        tasks.spawn_local(async move {
            let attempt = Client::connect(address, source(index), &auths[index]);
            let outcome = timeout(options.limit, attempt).await.unwrap_or_else(|late| Err(late.into()));
            waiting.set(waiting.get() - 1);
            if waiting.get() == 0 {
                settled.notify_one();
            }
            match outcome {
                Ok(mut client) => {
                    latencies.borrow_mut().record(began.elapsed());
                    connected.set(connected.get() + 1);
                    first_error.set(client.hold().await);
                }
                Err(error) => first_error.set(error),
            }
        });
    }
    settled.notified().await;
    let spent = meter.stop()?;

    let failures = options.connections - connected.get();
    if connected.get() == 0 {
        first_error.check()?;
        bail!("nobody connected");
    }
    let mut outcome = Outcome::default();
    outcome.figure("connections", as_f64(options.connections));
    outcome.figure("failures", as_f64(failures));
    outcome.figure("all_connected_s", spent.elapsed.as_secs_f64());
    spent.record(&mut outcome, "connection", connected.get());
    outcome.latency("connect", &latencies);
    Ok(outcome)
}
