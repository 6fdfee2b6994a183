//! Every scenario against every server in turn, in interleaved rounds.
//!
//! Within a round all servers go through one scenario before the next begins, so that a change of the machine's
//! mood falls on all of them; ratios are taken within a round.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::machine::Machine;
use crate::plan::{self, Scenario, Sizes};
use crate::process::raise_open_files;
use crate::report;
use crate::results::{Results, Run, keep, results_path, stage_folder};
use crate::server::{Server, Stage};
use crate::targets::targets_table;
use crate::world;

#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// One short round with fewer connections: under three minutes, and the published report stays as it is.
    #[arg(long)]
    quick: bool,
    /// Rounds; 5, or 1 with --quick, if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// The servers to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Server::ALL)]
    servers: Vec<Server>,
    /// The scenarios to put them through; all of them, or those with a target if --quick, if not given.
    #[arg(long, value_enum, value_delimiter = ',')]
    scenarios: Option<Vec<Scenario>>,
    /// The repository's folder, in which everything has been built.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
}

/// Compares, prints the tables, and writes the report unless it was a quick look or a part.
pub(crate) async fn run(options: CompareOptions) -> Result<()> {
    let sizes = if options.quick { Sizes::quick() } else { Sizes::full() };
    let scenarios = options.scenarios.clone().unwrap_or_else(|| {
        let with_target = |scenario: &Scenario| !options.quick || scenario.has_target();
        Scenario::ALL.into_iter().filter(with_target).collect()
    });
    let rounds = options.rounds.unwrap_or(if options.quick { 1 } else { 5 });
    raise_open_files(sizes.connections)?;
    let stage = Stage::prepare(&options.repository, &stage_folder(&options.repository), sizes.users())?;
    let machine = Machine::describe(&options.repository, &stage_folder(&options.repository))?;
    let large_store = stage.path("large.db");
    if options.servers.contains(&Server::HorseTrust) && scenarios.contains(&Scenario::ColdStart) {
        fill_store(&stage, &large_store, &sizes)?;
    }

    let mut results = Results { quick: options.quick, rounds, sizes, machine, runs: Vec::new() };
    let began = Instant::now();
    for round in 1..=rounds {
        for &scenario in &scenarios {
            for server in in_turn(&options.servers, round).filter(|&server| scenario.suits(server)) {
                let outcome = plan::run(&stage, server, scenario, &results.sizes, &large_store)
                    .await
                    .with_context(|| format!("{} in {}", server.name(), scenario.name()))?;
                let run = Run { round, scenario, server, outcome };
                println!("{}", report::run_line(&run, rounds));
                keep(&options.repository, &run)?;
                results.runs.push(run);
            }
        }
    }
    println!("\n{} runs in {:.0} s\n", results.runs.len(), began.elapsed().as_secs_f64());
    println!("{}", targets_table(&results));

    let whole = options.servers.len() == Server::ALL.len() && options.scenarios.is_none();
    if whole {
        let path = results_path(&options.repository, options.quick);
        fs::write(&path, serde_json::to_vec_pretty(&results)?)?;
    }
    if whole && !options.quick {
        report::write(&results, &options.repository)?;
    }
    check_product(&results)
}

/// The servers, beginning with another one in each round, so that none always follows the same.
fn in_turn(servers: &[Server], round: u32) -> impl Iterator<Item = Server> {
    let first = (round as usize - 1) % servers.len().max(1);
    servers[first..].iter().chain(&servers[..first]).copied()
}

/// Makes the product's store of many messages for the cold start.
fn fill_store(stage: &Stage, store: &Path, sizes: &Sizes) -> Result<()> {
    let messages = stage.path("messages.jsonl");
    world::write_messages(&messages, sizes.stored_messages, sizes.users() / 2)?;
    stage.import(store, Some(&messages))?;
    fs::remove_file(&messages)?;
    Ok(())
}

/// A product that is fast and loses or mixes up messages has not won: that is an error, once the figures are out.
/// The others' losses are in the tables. Under jitter without recovery losses are what is measured.
fn check_product(results: &Results) -> Result<()> {
    let flaws =
        ["unacknowledged", "undelivered", "undelivered_to_sender", "unnotified", "out_of_order", "doubled"];
    let of_product = results.runs.iter().filter(|run| run.server == Server::HorseTrust);
    for run in of_product.filter(|run| !run.scenario.breaks_connections()) {
        for flaw in flaws {
            if run.outcome.figures.get(flaw).is_some_and(|&count| count > 0.0) {
                bail!("the product has {flaw} messages in {}, round {}", run.scenario.name(), run.round);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_begins_with_another_server() {
        let servers = [Server::HorseTrust, Server::NodeMemory, Server::NodeDurable];
        let turn = |round| in_turn(&servers, round).collect::<Vec<_>>();
        assert_eq!(turn(1), servers);
        assert_eq!(turn(2), [Server::NodeMemory, Server::NodeDurable, Server::HorseTrust]);
        assert_eq!(turn(4), servers);
    }
}
