//! Connections that are held and do nothing but answer heartbeats.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{CpuMeter, Outcome, Target, as_f64};
use crate::client::{Client, source};
use crate::process;

/// How many connect at a time: enough to keep the server busy, too few to be an avalanche.
const CONNECTING_AT_ONCE: usize = 100;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) connections: usize,
    /// How long all are held; over 25 s every server's heartbeat is in it.
    pub(crate) hold: Duration,
}

/// Runs the scenario. A connection that fails or is lost is an error.
pub(crate) async fn run(target: &Target, options: Options) -> Result<Outcome> {
    target.require_users(options.connections)?;
    let before = process::settled_resident_bytes(target.pid).await?;
    let meter = CpuMeter::start(target.pid)?;
    let clients = connect_all(target, options.connections).await?;
    let connecting = meter.stop()?;

    // Dropping the set closes the connections.
    let mut held = JoinSet::new();
    for mut client in clients {
        held.spawn_local(async move { client.hold().await });
    }
    let meter = CpuMeter::start(target.pid)?;
    tokio::select! {
        () = sleep(options.hold) => {}
        Some(lost) = held.join_next() => return Err(lost?).context("an idle connection was lost"),
    }
    let holding = meter.stop()?;
    let after = process::settled_resident_bytes(target.pid).await?;
    if held.len() != options.connections {
        bail!("{} of {} connections are left", held.len(), options.connections);
    }

    let mut outcome = Outcome::default();
    outcome.figure("connections", as_f64(options.connections));
    let grown = as_f64(usize::try_from(after.saturating_sub(before))?);
    outcome.figure("memory_per_connection_kb", grown / 1000.0 / as_f64(options.connections));
    outcome.figure("resident_before_mb", as_f64(usize::try_from(before)?) / 1e6);
    outcome.figure("resident_after_mb", as_f64(usize::try_from(after)?) / 1e6);
    outcome.figure("connections_per_second", as_f64(options.connections) / connecting.elapsed.as_secs_f64());
    connecting.record(&mut outcome, "connection", options.connections);
    let idle_share = holding.server.as_secs_f64() / holding.elapsed.as_secs_f64();
    outcome.figure("idle_cpu_percent", 100.0 * idle_share);
    Ok(outcome)
}

async fn connect_all(target: &Target, count: usize) -> Result<Vec<Client>> {
    let queue = Rc::new(RefCell::new(0..count));
    let (address, auths) = (target.address, Rc::new(target.auths.clone()));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTING_AT_ONCE.min(count) {
        let (queue, auths) = (Rc::clone(&queue), Rc::clone(&auths));
        workers.spawn_local(async move {
            let mut clients = Vec::new();
            loop {
                let next = queue.borrow_mut().next();
                let Some(index) = next else { return anyhow::Ok(clients) };
                let client = Client::connect(address, source(index), &auths[index]).await;
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
