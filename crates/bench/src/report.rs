//! Tables on the terminal and the page `docs/performance.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::figures::{cell, digits_for, number, spread};
use crate::history::{self, History};
use crate::plan::{Scenario, Sizes};
use crate::plots;
use crate::results::{Results, Run};
use crate::scenario::{Outcome, as_f64};
use crate::server::Server;
use crate::targets::targets_table;

/// Every figure of one scenario.
fn scenario_table(results: &Results, scenario: Scenario) -> String {
    let runs = || results.runs.iter().filter(move |run| run.scenario == scenario);
    let servers: BTreeSet<Server> = runs().map(|run| run.server).collect();
    let figures: BTreeSet<&String> = runs().flat_map(|run| run.outcome.figures.keys()).collect();
    let mut table = String::from("| figure |");
    for server in &servers {
        let _ = write!(table, " {} |", server.title());
    }
    let _ = writeln!(table, "\n|---|{}", "--:|".repeat(servers.len()));
    for figure in figures {
        let _ = write!(table, "| `{figure}` |");
        for &server in &servers {
            let spread = spread(results, scenario, server, figure);
            let digits = spread.map_or(0, |spread| digits_for(spread.median));
            let _ = write!(table, " {} |", cell(spread, digits));
        }
        table.push('\n');
    }
    table
}

/// One line about a run, for who watches.
pub(crate) fn run_line(run: &Run, rounds: u32) -> String {
    let figures = run.outcome.figures.iter();
    let shown = figures.filter(|(name, _)| !name.starts_with("generator") && !name.contains("resident"));
    let shown: Vec<_> =
        shown.map(|(name, &value)| format!("{name} {}", number(value, digits_for(value)))).collect();
    format!(
        "{}/{rounds} {:<15} {:<12} {}",
        run.round,
        run.scenario.name(),
        run.server.name(),
        shown.join(", ")
    )
}

/// The figures of a single run, aligned.
pub(crate) fn figures_table(outcome: &Outcome) -> String {
    let mut table = String::new();
    for (name, &value) in &outcome.figures {
        let _ = writeln!(table, "{name:<34} {:>12}", number(value, digits_for(value)));
    }
    table
}

fn about(scenario: Scenario, sizes: &Sizes) -> String {
    let Sizes { pairs, devices, .. } = sizes;
    let connections = number(as_f64(sizes.connections), 0);
    match scenario {
        Scenario::ClosedLoop => format!(
            "{pairs} pairs, each a conversation that both have joined. One of each pair writes his next message \
             when the acknowledgement of the last one has reached him and its `new_message` the other."
        ),
        Scenario::FixedRate => format!(
            "{pairs} pairs, {:.0} messages a second over all of them, at random times (a Poisson process, the same \
             for every server). Latencies count from when a message was due, not from when it was sent.",
            sizes.messages_per_second
        ),
        Scenario::Fanout => format!(
            "One user on {devices} devices. The other writes his next message when all devices have the last one."
        ),
        Scenario::Idle => format!(
            "{connections} connections, made a hundred at a time, then held for {} s. They are made in five equal \
             steps; memory is the growth of the resident set, each time when it has settled, from the step where it \
             was least to the last.",
            sizes.hold.as_secs()
        ),
        Scenario::Avalanche => format!(
            "{connections} clients connect at once, tokens checked. Nobody tries twice; a client that is not \
             connected within 60 s has failed."
        ),
        Scenario::JitterPlain | Scenario::JitterRecovery => format!(
            "{pairs} pairs, both sides write, {:.0} messages a second in all for {} s. Each connection is cut after \
             {:.0} s on average, and its client is back after 0.5 to 1.5 s. {} In the end everybody is online and has \
             time to catch up; counted are acknowledged messages that the other side never received.",
            sizes.jitter_messages_per_second,
            sizes.jitter.as_secs(),
            sizes.jitter_mean_seconds,
            if scenario == Scenario::JitterPlain {
                "Clients join their conversation again, and ask for nothing that they missed."
            } else {
                "Clients use connection state recovery, as the official client does."
            }
        ),
        Scenario::ColdStart => format!(
            "From the start of the process to the first TCP connection accepted, and to the first Socket.IO \
             connection with its token checked. The product opens a store of {} messages; the others have none.",
            number(as_f64(sizes.stored_messages), 0)
        ),
    }
}

/// Writes `docs/performance.md` and its plots.
pub(crate) fn write(results: &Results, repository: &Path) -> Result<()> {
    let docs = repository.join("docs");
    let plots = plots::draw(results, &docs.join("plots")).context("drawing the plots")?;
    let notes_path = repository.join("bench/performance-notes.md");
    let notes =
        fs::read_to_string(&notes_path).with_context(|| format!("reading {}", notes_path.display()))?;
    let page = docs.join("performance.md");
    let history = history::load(repository)?;
    fs::write(&page, render(results, repository, &plots, history.as_ref(), &notes))
        .with_context(|| format!("writing {}", page.display()))?;
    println!("wrote {}", page.display());
    Ok(())
}

fn render(
    results: &Results,
    repository: &Path,
    plots: &[plots::Plot],
    history: Option<&History>,
    notes: &str,
) -> String {
    let mut page = String::from(
        "# Performance\n\n<!-- Written by `make bench`; edit bench/performance-notes.md and crates/bench instead. -->\n\n",
    );
    let _ = writeln!(
        page,
        "Medians of {} interleaved rounds, with the least and the greatest value in brackets. Ratios are taken within \
         a round. The load generator runs on the same machine and takes one of its cores.\n",
        results.rounds
    );
    page.push_str(&targets_table(results));
    for plot in plots {
        let _ = write!(page, "\n![{}](plots/{})\n", plot.caption, plot.file);
    }

    if let Some(history) = history {
        let _ = write!(page, "\n## A long history\n\n{}", history.table());
    }

    page.push_str("\n## The machine\n\n");
    let machine = &results.machine;
    let _ = writeln!(
        page,
        "{}, {} cores, {} GB of memory, Linux {}.",
        machine.processor, machine.cores, machine.memory_gigabytes, machine.kernel
    );
    let _ = writeln!(
        page,
        "Writing 4 kB to its disk and syncing them takes {} ms (median and range of 200).",
        cell(Some(machine.sync_milliseconds), 2)
    );
    let versions: Vec<_> =
        machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let _ = writeln!(page, "Versions: {}.", versions.join(", "));
    if let Ok(binary) = fs::metadata(repository.join("target/release/horse-trust")) {
        let megabytes = binary.len().div_ceil(100_000);
        let _ = writeln!(page, "The release binary has {}.{} MB.", megabytes / 10, megabytes % 10);
    }

    page.push('\n');
    page.push_str(notes.trim_end());
    page.push_str("\n\n## All figures\n");
    for scenario in Scenario::ALL {
        let _ = write!(page, "\n### {}\n\n{}\n\n", scenario.name(), about(scenario, &results.sizes));
        page.push_str(&scenario_table(results, scenario));
    }
    page
}
