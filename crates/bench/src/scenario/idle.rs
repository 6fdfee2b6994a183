//! Connections that are held and do nothing but answer heartbeats.
//!
//! They are made in equal steps, and memory per connection is the growth from the step with the least memory to the
//! last. What a server set aside while it started, and gives back or fills without growing, would otherwise make its
//! connections look smaller than they are.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{CpuMeter, CpuSpent, Outcome, Target, as_f64};
use crate::client::{Client, source};
use crate::process;

/// How many connect at a time: enough to keep the server busy, too few to be an avalanche.
const CONNECTING_AT_ONCE: usize = 100;

const STEPS: usize = 5;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) connections: usize,
    /// How long all are held; over 25 s every server's heartbeat is in it.
    pub(crate) hold: Duration,
}

/// Runs the scenario. A connection that fails or is lost is an error.
pub(crate) async fn run(target: &Target, options: Options) -> Result<Outcome> {
    target.require_users(options.connections)?;
    let step = options.connections / STEPS;
    // Dropping the set closes the connections.
    let mut held = JoinSet::new();
    let mut resident = Vec::with_capacity(STEPS);
    let mut connecting = CpuSpent::default();
    for first in (0..STEPS).map(|done| done * step) {
        let meter = CpuMeter::start(target.pid)?;
        let clients = connect_all(target, first..first + step).await?;
        connecting += meter.stop()?;
        for mut client in clients {
            held.spawn_local(async move { client.hold().await });
        }
        resident.push(process::settled_resident_bytes(target.pid).await?);
    }

    let meter = CpuMeter::start(target.pid)?;
    tokio::select! {
        () = sleep(options.hold) => {}
        Some(lost) = held.join_next() => return Err(lost?).context("an idle connection was lost"),
    }
    let holding = meter.stop()?;
    if held.len() != STEPS * step {
        bail!("{} of {} connections are left", held.len(), STEPS * step);
    }

    let mut outcome = Outcome::default();
    outcome.figure("connections", as_f64(held.len()));
    let megabytes = resident.iter().map(|&bytes| usize::try_from(bytes).map(|bytes| as_f64(bytes) / 1e6));
    let megabytes = megabytes.collect::<Result<Vec<_>, _>>()?;
    if let Some(growth) = growth_per_step(&megabytes) {
        outcome.figure("memory_per_connection_kb", growth * 1000.0 / as_f64(step));
    }
    outcome.figure("resident_with_a_fifth_mb", megabytes[0]);
    outcome.figure("resident_with_all_mb", megabytes[STEPS - 1]);
    outcome.figure("connections_per_second", as_f64(held.len()) / connecting.elapsed.as_secs_f64());
    connecting.record(&mut outcome, "connection", held.len());
    let idle_share = holding.server.as_secs_f64() / holding.elapsed.as_secs_f64();
    outcome.figure("idle_cpu_percent", 100.0 * idle_share);
    Ok(outcome)
}

/// The average growth from the least of the values to the last, if that comes later.
fn growth_per_step(values: &[f64]) -> Option<f64> {
    let last = *values.last()?;
    let (index, lowest) = values.iter().enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let steps = values.len() - 1 - index;
    (steps > 0).then(|| (last - lowest) / as_f64(steps))
}

async fn connect_all(target: &Target, indexes: Range<usize>) -> Result<Vec<Client>> {
    let count = indexes.len();
    let queue = Rc::new(RefCell::new(indexes));
    let users = Rc::new(
        target
            .auths
            .iter()
            .enumerate()
            .map(|(user, auth)| (target.address(user), auth.clone()))
            .collect::<Vec<_>>(),
    );
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTING_AT_ONCE.min(count) {
        let (queue, users) = (Rc::clone(&queue), Rc::clone(&users));
        workers.spawn_local(async move {
            let mut clients = Vec::new();
            loop {
                let next = queue.borrow_mut().next();
                let Some(index) = next else { return anyhow::Ok(clients) };
                let (address, auth) = &users[index];
                let client = Client::connect(*address, source(index), auth).await;
                clients.push(client.with_context(|| format!("connection {index}"))?);
            }
        });
    }
    let mut clients = Vec::with_capacity(count);
    while let Some(worker) = workers.join_next().await {
        clients.append(&mut worker??);
    }
    Ok(clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_counts_from_the_least() {
        assert_eq!(growth_per_step(&[10.0, 12.0, 14.0, 16.0]), Some(2.0));
        assert_eq!(growth_per_step(&[36.0, 33.0, 38.0, 43.0]), Some(5.0));
        assert_eq!(growth_per_step(&[36.0, 30.0]), None);
        assert_eq!(growth_per_step(&[]), None);
    }
}
