//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use clap::{Args, Parser, Subcommand};

use crate::compare::{self, CompareOptions};
use crate::history::{self, HistoryOptions};
use crate::process::raise_open_files;
use crate::scenario::jitter::CatchUp;
use crate::scenario::{Outcome, Target, avalanche, chat, fanout, idle, jitter};
use crate::server::{Running, Server, Stage, StartOptions};
use crate::{http, report, results, world};

/// Load generator for a Socket.IO chat server, and side-by-side comparison of several.
#[derive(Debug, Parser)]
#[command(name = "horse-trust-bench", version)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Pairs of people chatting: closed loop, or at a fixed rate.
    Chat {
        #[command(flatten)]
        subject: Subject,
        #[arg(long, default_value_t = 50)]
        pairs: usize,
        /// Messages a second over all pairs; without it, the closed loop.
        #[arg(long, value_parser = positive)]
        rate: Option<f64>,
        /// Pause between the answers to a message and the next message, in the closed loop, in milliseconds.
        #[arg(long, default_value_t = 0, conflicts_with = "rate")]
        think: u64,
        /// Seconds before anything is measured.
        #[arg(long, default_value_t = 2)]
        warm_up: u64,
        /// Seconds to measure.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// Connections that are held and do nothing.
    Idle {
        #[command(flatten)]
        subject: Subject,
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
        /// Seconds to hold them.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Everybody connects at once.
    Avalanche {
        #[command(flatten)]
        subject: Subject,
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
        /// Seconds after which a connection has failed.
        #[arg(long, default_value_t = 60)]
        limit: u64,
    },
    /// One person on many devices.
    Fanout {
        #[command(flatten)]
        subject: Subject,
        #[arg(long, default_value_t = 100)]
        devices: usize,
        /// Seconds before anything is measured.
        #[arg(long, default_value_t = 2)]
        warm_up: u64,
        /// Seconds to measure.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// Pairs of people chatting while their connections break at random.
    Jitter {
        #[command(flatten)]
        subject: Subject,
        #[arg(long, default_value_t = 50)]
        pairs: usize,
        /// Messages a second over all people.
        #[arg(long, default_value_t = 200.0, value_parser = positive)]
        rate: f64,
        /// Mean life of a connection in seconds.
        #[arg(long, default_value_t = 10.0, value_parser = positive)]
        mean: f64,
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// What clients do about what they missed.
        #[arg(long, value_enum, default_value_t = CatchUp::Plain)]
        catch_up: CatchUp,
    },
    /// Every scenario against every server in turn, in interleaved rounds, and the report.
    Compare(CompareOptions),
    /// Writes the files with the people and conversations that every server is given, users.jsonl and
    /// conversations.jsonl.
    People {
        #[arg(long, default_value_t = 100)]
        users: usize,
        /// The folder to write them into.
        folder: PathBuf,
    },
    /// The product on a store of ten million messages, beside one of ten thousand.
    History(HistoryOptions),
    /// Writes the report again from the results of the last comparison.
    Report {
        /// The repository's folder.
        #[arg(long, default_value = ".")]
        repository: PathBuf,
    },
}

/// The server to load: one that this program starts, or one that runs already.
#[derive(Debug, Args)]
#[group(skip)]
struct Subject {
    /// Start this server.
    #[arg(long, value_enum, required_unless_present = "address", conflicts_with = "address")]
    server: Option<Server>,
    /// Load the server at this address; its people are registered over HTTP where conversations are needed. Given
    /// several times, for several nodes, people connect to each in turn.
    #[arg(long, requires = "pid")]
    address: Vec<SocketAddr>,
    /// The server at that address has the people of `people` already, with this program's secret.
    #[arg(long, requires = "address")]
    given: bool,
    /// The process whose CPU and memory are read.
    #[arg(long)]
    pid: Option<u32>,
    /// The secret of the running server's tokens.
    #[arg(long, env = "JWT_SECRET", hide_env_values = true, default_value = world::SECRET)]
    secret: String,
    /// The repository's folder.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => Err("must be a number above 0".to_owned()),
    }
}

/// Carries the command out.
pub(crate) async fn run(command: Command) -> Result<()> {
    let seconds = Duration::from_secs;
    let outcome = match command.action {
        Action::Chat { subject, pairs, rate, think, warm_up, seconds: duration } => {
            let pace = match rate {
                Some(per_second) => chat::Pace::Fixed { per_second },
                None => chat::Pace::ClosedLoop { think: Duration::from_millis(think) },
            };
            let loaded = subject.load(2 * pairs, true, false).await?;
            let (warm_up, duration) = (seconds(warm_up), seconds(duration));
            chat::run(&loaded.target, chat::Options { pairs, pace, warm_up, duration }).await?
        }
        Action::Idle { subject, connections, seconds: hold } => {
            let loaded = subject.load(connections, false, false).await?;
            idle::run(&loaded.target, idle::Options { connections, hold: seconds(hold) }).await?
        }
        Action::Avalanche { subject, connections, limit } => {
            let loaded = subject.load(connections, false, false).await?;
            let options = avalanche::Options { connections, limit: seconds(limit) };
            avalanche::run(&loaded.target, options).await?
        }
        Action::Fanout { subject, devices, warm_up, seconds: duration } => {
            let loaded = subject.load(2, true, false).await?;
            let (warm_up, duration) = (seconds(warm_up), seconds(duration));
            fanout::run(&loaded.target, fanout::Options { devices, warm_up, duration }).await?
        }
        Action::Jitter { subject, pairs, rate: per_second, mean, seconds: duration, catch_up } => {
            let loaded = subject.load(2 * pairs, true, catch_up == CatchUp::Recovery).await?;
            let (mean_connection, duration) = (Duration::from_secs_f64(mean), seconds(duration));
            let options = jitter::Options { pairs, per_second, mean_connection, duration, catch_up };
            jitter::run(&loaded.target, options).await?
        }
        Action::Compare(options) => return compare::run(options).await,
        Action::People { users, folder } => return world::Export::write(&folder, users).map(drop),
        Action::History(options) => return history::run(options).await,
        Action::Report { repository } => return report_again(&repository),
    };
    print(&outcome)
}

/// JSON on standard output, a table beside it.
fn print(outcome: &Outcome) -> Result<()> {
    eprint!("{}", report::figures_table(outcome));
    println!("{}", serde_json::to_string_pretty(outcome)?);
    Ok(())
}

fn report_again(repository: &Path) -> Result<()> {
    let results = results::load(&results::results_path(repository, false))?;
    report::write(&results, repository)
}

/// A target, with the server behind it if this program started it.
struct Loaded {
    target: Target,
    _running: Option<Running>,
}

impl Subject {
    async fn load(&self, users: usize, conversations: bool, recovery: bool) -> Result<Loaded> {
        raise_open_files(users)?;
        if let (false, Some(pid)) = (self.address.is_empty(), self.pid) {
            let addresses = self.address.clone();
            let target = if conversations && !self.given {
                registered(addresses, pid, users)?
            } else {
                Target::of_world(addresses, pid, users, &self.secret)
            };
            return Ok(Loaded { target, _running: None });
        }
        let server = self.server.ok_or_else(|| anyhow!("--server or --address is needed"))?;
        let stage = Stage::prepare(&self.repository, &results::stage_folder(&self.repository), users.max(2))?;
        let running = stage.start(server, StartOptions { recovery, store: None }).await?;
        let target = Target::of_world(vec![running.address], running.pid(), users, world::SECRET);
        Ok(Loaded { target, _running: Some(running) })
    }
}

fn registered(addresses: Vec<SocketAddr>, pid: u32, users: usize) -> Result<Target> {
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut target = Target { addresses, pid, auths: Vec::new(), conversations: Vec::new() };
    for index in 0..users.div_ceil(2) {
        let pair = http::register_pair(target.addresses[0], run, index)?;
        target.auths.extend(pair.auths);
        target.conversations.push(pair.conversation);
    }
    Ok(target)
}
