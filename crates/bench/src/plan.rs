//! Which scenarios a comparison consists of, and how large each is.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::scenario::jitter::CatchUp;
use crate::scenario::{Outcome, Target, avalanche, chat, fanout, idle, jitter};
use crate::server::{Server, Stage, StartOptions};
use crate::world;

/// What every server goes through in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scenario {
    /// Pairs in a closed loop.
    ClosedLoop,
    /// Pairs at a fixed rate.
    FixedRate,
    /// One user on many devices.
    Fanout,
    /// Connections made a hundred at a time and held.
    Idle,
    /// Connections made all at once.
    Avalanche,
    /// Connections that break, and clients that only come back.
    JitterPlain,
    /// Connections that break, and clients that recover what they missed.
    JitterRecovery,
    /// From the start of the process to the first connection.
    ColdStart,
}

impl Scenario {
    pub(crate) const ALL: [Self; 8] = [
        Self::ClosedLoop,
        Self::FixedRate,
        Self::Fanout,
        Self::Idle,
        Self::Avalanche,
        Self::JitterPlain,
        Self::JitterRecovery,
        Self::ColdStart,
    ];

    /// As files and flags name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClosedLoop => "closed-loop",
            Self::FixedRate => "fixed-rate",
            Self::Fanout => "fanout",
            Self::Idle => "idle",
            Self::Avalanche => "avalanche",
            Self::JitterPlain => "jitter-plain",
            Self::JitterRecovery => "jitter-recovery",
            Self::ColdStart => "cold-start",
        }
    }

    /// Whether a target is set for one of its figures.
    pub(crate) fn has_target(self) -> bool {
        !matches!(self, Self::Fanout | Self::JitterPlain)
    }

    /// Whether connections are cut, so that some acknowledgements can't arrive.
    pub(crate) fn breaks_connections(self) -> bool {
        matches!(self, Self::JitterPlain | Self::JitterRecovery)
    }

    /// Whether the server can take part.
    pub(crate) fn suits(self, server: Server) -> bool {
        self != Self::JitterRecovery || server.recovers()
    }
}

/// How large the scenarios are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sizes {
    pub(crate) pairs: usize,
    pub(crate) messages_per_second: f64,
    pub(crate) devices: usize,
    pub(crate) connections: usize,
    pub(crate) jitter_messages_per_second: f64,
    pub(crate) jitter_mean_seconds: f64,
    /// Messages in the product's store at a cold start; the others start on an empty one.
    pub(crate) stored_messages: usize,
    pub(crate) warm_up: Duration,
    pub(crate) chat: Duration,
    pub(crate) hold: Duration,
    pub(crate) jitter: Duration,
}

impl Sizes {
    /// Those of the published figures.
    pub(crate) fn full() -> Self {
        Self {
            pairs: 50,
            messages_per_second: 2_000.0,
            devices: 100,
            connections: 10_000,
            jitter_messages_per_second: 200.0,
            jitter_mean_seconds: 10.0,
            stored_messages: 1_000_000,
            warm_up: Duration::from_secs(2),
            chat: Duration::from_secs(10),
            hold: Duration::from_secs(26),
            jitter: Duration::from_secs(20),
        }
    }

    /// A first impression of one round in under three minutes.
    pub(crate) fn quick() -> Self {
        Self {
            connections: 4_000,
            stored_messages: 50_000,
            warm_up: Duration::from_secs(1),
            chat: Duration::from_secs(3),
            hold: Duration::from_secs(1),
            jitter: Duration::from_secs(5),
            jitter_mean_seconds: 3.0,
            ..Self::full()
        }
    }

    /// People needed for the largest scenario.
    pub(crate) fn users(&self) -> usize {
        self.connections.max(2 * self.pairs)
    }
}

/// Starts a fresh server, puts it through one scenario, and ends it.
pub(crate) async fn run(
    stage: &Stage,
    server: Server,
    scenario: Scenario,
    sizes: &Sizes,
    large_store: &Path,
) -> Result<Outcome> {
    let recovery = scenario == Scenario::JitterRecovery;
    let store = (scenario == Scenario::ColdStart).then_some(large_store);
    let running = stage.start(server, StartOptions { recovery, store }).await?;
    let target = Target::of_world(vec![running.address], running.pid(), sizes.users(), world::SECRET);
    let &Sizes { pairs, devices, connections, warm_up, chat: duration, hold, .. } = sizes;
    let outcome = match scenario {
        Scenario::ClosedLoop => {
            let pace = chat::Pace::ClosedLoop { think: Duration::ZERO };
            chat::run(&target, chat::Options { pairs, pace, warm_up, duration }).await?
        }
        Scenario::FixedRate => {
            let pace = chat::Pace::Fixed { per_second: sizes.messages_per_second };
            chat::run(&target, chat::Options { pairs, pace, warm_up, duration }).await?
        }
        Scenario::Fanout => fanout::run(&target, fanout::Options { devices, warm_up, duration }).await?,
        Scenario::Idle => idle::run(&target, idle::Options { connections, hold }).await?,
        Scenario::Avalanche => {
            let options = avalanche::Options { connections, limit: Duration::from_mins(1) };
            avalanche::run(&target, options).await?
        }
        Scenario::JitterPlain | Scenario::JitterRecovery => {
            let options = jitter::Options {
                pairs,
                per_second: sizes.jitter_messages_per_second,
                mean_connection: Duration::from_secs_f64(sizes.jitter_mean_seconds),
                duration: sizes.jitter,
                catch_up: if recovery { CatchUp::Recovery } else { CatchUp::Plain },
            };
            jitter::run(&target, options).await?
        }
        Scenario::ColdStart => Outcome::of_start(running.accepted_after, running.connected_after),
    };
    running.stop().await?;
    Ok(outcome)
}
