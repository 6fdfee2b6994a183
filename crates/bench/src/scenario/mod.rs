//! What is done to a server, one file a scenario. Each takes a [`Target`] and gives an [`Outcome`].

pub(crate) mod avalanche;
pub(crate) mod chat;
pub(crate) mod fanout;
pub(crate) mod idle;
pub(crate) mod jitter;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::process::{self, CpuTime};
use crate::stats::{Latencies, LatencySummary};
use crate::world;

/// A server that runs, and who may connect to it.
pub(crate) struct Target {
    /// Users connect to these in turn.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) pid: u32,
    /// The `auth` of each user's CONNECT; users `2 × i` and `2 × i + 1` share conversation `i`.
    pub(crate) auths: Vec<String>,
    pub(crate) conversations: Vec<String>,
}

impl Target {
    /// A server that was given the first `users` people of [`world`].
    pub(crate) fn of_world(addresses: Vec<SocketAddr>, pid: u32, users: usize, secret: &str) -> Self {
        let conversations = (0..users / 2).map(world::conversation_id).collect();
        Self { addresses, pid, auths: world::auths(users, secret), conversations }
    }

    /// Where the user with this index connects.
    fn address(&self, user: usize) -> SocketAddr {
        self.addresses[user % self.addresses.len()]
    }

    /// Refuses a scenario that wants more people than there are.
    fn require_users(&self, needed: usize) -> Result<()> {
        if self.auths.len() < needed {
            bail!("{needed} users are needed, {} are there", self.auths.len());
        }
        Ok(())
    }
}

/// What a run came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// By name; the unit is the name's end.
    pub(crate) figures: BTreeMap<String, f64>,
    /// By what was waited for.
    pub(crate) latencies: BTreeMap<String, LatencySummary>,
}

impl Outcome {
    /// The figures of a server's start.
    pub(crate) fn of_start(accepted_after: Duration, connected_after: Duration) -> Self {
        let mut outcome = Self::default();
        outcome.figure("accepted_after_ms", accepted_after.as_secs_f64() * 1000.0);
        outcome.figure("connected_after_ms", connected_after.as_secs_f64() * 1000.0);
        outcome
    }

    fn figure(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), value);
    }

    fn latency(&mut self, name: &str, latencies: &RefCell<Latencies>) {
        let summary = latencies.borrow().summary();
        self.figure(&format!("{name}_p50_ms"), summary.p50_ms);
        self.figure(&format!("{name}_p99_ms"), summary.p99_ms);
        self.latencies.insert(name.to_owned(), summary);
    }
}

/// The CPU that the server and this program spend between two moments.
struct CpuMeter {
    pid: u32,
    server: CpuTime,
    own: CpuTime,
    since: Instant,
}

#[derive(Default)]
struct CpuSpent {
    server: Duration,
    own: Duration,
    elapsed: Duration,
}

impl AddAssign for CpuSpent {
    fn add_assign(&mut self, other: Self) {
        self.server += other.server;
        self.own += other.own;
        self.elapsed += other.elapsed;
    }
}

impl CpuMeter {
    fn start(pid: u32) -> Result<Self> {
        let (server, own) = (process::cpu_time(pid)?, process::own_cpu_time()?);
        Ok(Self { pid, server, own, since: Instant::now() })
    }

    fn stop(&self) -> Result<CpuSpent> {
        Ok(CpuSpent {
            server: process::cpu_time(self.pid)? - self.server,
            own: process::own_cpu_time()? - self.own,
            elapsed: self.since.elapsed(),
        })
    }
}

impl CpuSpent {
    /// Records CPU per `count` things called `thing`, in µs, of the server and of this program, and how many of
    /// its cores the server kept busy.
    fn record(&self, outcome: &mut Outcome, thing: &str, count: usize) {
        let per_thing = |spent: Duration| spent.as_secs_f64() * 1e6 / as_f64(count.max(1));
        outcome.figure(&format!("cpu_per_{thing}_us"), per_thing(self.server));
        outcome.figure(&format!("generator_cpu_per_{thing}_us"), per_thing(self.own));
        outcome.figure("server_cores", self.server.as_secs_f64() / self.elapsed.as_secs_f64());
    }
}

/// The first error of any task of a scenario; the rest follow from it.
#[derive(Clone, Default)]
struct FirstError(Rc<RefCell<Option<anyhow::Error>>>);

impl FirstError {
    fn set(&self, error: anyhow::Error) {
        self.0.borrow_mut().get_or_insert(error);
    }

    fn check(&self) -> Result<()> {
        self.0.borrow_mut().take().map_or(Ok(()), Err)
    }
}

/// Waits until `done`, and says whether it was within `limit`.
async fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !done() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(10)).await;
    }
    true
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}
