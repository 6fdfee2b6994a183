//! Tables on the terminal and the page `docs/performance.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::compare::{Results, Run};
use crate::history::{self, History};
use crate::plan::{Scenario, Sizes};
use crate::plots;
use crate::scenario::{Outcome, as_f64};
use crate::server::Server;
use crate::stats::Spread;

/// What a target asks of the product's median.
#[derive(Debug, Clone, Copy)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// At most this part of Node in memory, round by round.
    RatioAtMost(f64),
}

/// A figure with a target.
struct Target {
    title: String,
    scenario: Scenario,
    figure: &'static str,
    digits: usize,
    wording: &'static str,
    goal: Goal,
}

fn targets(sizes: &Sizes) -> Vec<Target> {
    use Scenario::{Avalanche, ClosedLoop, ColdStart, FixedRate, Idle, JitterRecovery};
    let (pairs, connections) = (sizes.pairs, number(as_f64(sizes.connections), 0));
    let row = |title: String, scenario, figure, digits, wording, goal| Target {
        title,
        scenario,
        figure,
        digits,
        wording,
        goal,
    };
    vec![
        row(
            format!("CPU per message, µs ({pairs} pairs, closed loop)"),
            ClosedLoop,
            "cpu_per_message_us",
            1,
            "at most 40",
            Goal::AtMost(40.0),
        ),
        row(
            format!("acknowledged messages a second ({pairs} pairs, closed loop)"),
            ClosedLoop,
            "acknowledged_per_second",
            0,
            "at least 20 000",
            Goal::AtLeast(20_000.0),
        ),
        row(
            format!("p99 from send to acknowledgement, ms (at {:.0} messages/s)", sizes.messages_per_second),
            FixedRate,
            "acknowledgement_p99_ms",
            2,
            "below Node in memory",
            Goal::RatioAtMost(1.0),
        ),
        row(
            format!("memory per idle connection, kB ({connections} connections)"),
            Idle,
            "memory_per_connection_kb",
            2,
            "at most 6",
            Goal::AtMost(6.0),
        ),
        row(
            "CPU per connection made, token checked, µs".to_owned(),
            Avalanche,
            "cpu_per_connection_us",
            0,
            "at most 150",
            Goal::AtMost(150.0),
        ),
        row(
            format!("{connections} connect at once: all connected after, s"),
            Avalanche,
            "all_connected_s",
            2,
            "a third of Node in memory",
            Goal::RatioAtMost(1.0 / 3.0),
        ),
        row(
            format!("{connections} connect at once: failures"),
            Avalanche,
            "failures",
            0,
            "none",
            Goal::AtMost(0.0),
        ),
        row(
            format!(
                "deliveries under jitter, % (cut every {:.0} s, with recovery)",
                sizes.jitter_mean_seconds
            ),
            JitterRecovery,
            "delivered_percent",
            2,
            "100",
            Goal::AtLeast(100.0),
        ),
        row(
            "cold start to first accepted connection (its token checked), ms".to_owned(),
            ColdStart,
            "connected_after_ms",
            0,
            "at most 50",
            Goal::AtMost(50.0),
        ),
    ]
}

/// The values of a figure, one a round.
pub(crate) fn values(results: &Results, scenario: Scenario, server: Server, figure: &str) -> Vec<(u32, f64)> {
    let runs = results.runs.iter().filter(|run| run.scenario == scenario && run.server == server);
    runs.filter_map(|run| Some((run.round, *run.outcome.figures.get(figure)?))).collect()
}

/// A figure's median and spread over the rounds.
pub(crate) fn spread(results: &Results, scenario: Scenario, server: Server, figure: &str) -> Option<Spread> {
    Spread::of(values(results, scenario, server, figure).into_iter().map(|(_, value)| value))
}

/// The product's figure as a part of Node's in memory, taken within each round.
fn ratio(results: &Results, scenario: Scenario, figure: &str) -> Option<Spread> {
    let node = values(results, scenario, Server::NodeMemory, figure);
    let ours = values(results, scenario, Server::HorseTrust, figure);
    let pairs = ours.iter().filter_map(|&(round, ours)| {
        let &(_, node) = node.iter().find(|&&(other, _)| other == round)?;
        (node != 0.0).then_some(ours / node)
    });
    Spread::of(pairs)
}

/// A number with a thin space between thousands.
pub(crate) fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left.is_multiple_of(3) && whole.len() > 4 && !grouped.ends_with('-') {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        let _ = write!(grouped, ".{fraction}");
    }
    grouped
}

pub(crate) fn cell(spread: Option<Spread>, digits: usize) -> String {
    match spread {
        None => "–".to_owned(),
        Some(Spread { minimum, median, maximum }) => {
            let [low, middle, high] = [minimum, median, maximum].map(|value| number(value, digits));
            if low == high { middle } else { format!("{middle} ({low}–{high})") }
        }
    }
}

fn verdict(goal: Goal, ours: Option<Spread>, ratio: Option<Spread>) -> String {
    let missed = |value: f64, bound: f64| format!("missed by {:.0} %", 100.0 * (value / bound - 1.0).abs());
    match (goal, ours, ratio) {
        (Goal::AtMost(bound), Some(ours), _) if ours.median <= bound => "met".to_owned(),
        (Goal::AtLeast(bound), Some(ours), _) if ours.median >= bound => "met".to_owned(),
        (Goal::RatioAtMost(bound), _, Some(ratio)) if ratio.median <= bound => "met".to_owned(),
        (Goal::AtMost(0.0), Some(ours), _) => format!("missed by {}", number(ours.median, 0)),
        (Goal::AtMost(bound) | Goal::AtLeast(bound), Some(ours), _) => missed(ours.median, bound),
        (Goal::RatioAtMost(bound), _, Some(ratio)) => missed(ratio.median, bound),
        _ => "not measured".to_owned(),
    }
}

/// The figures with a target, each server's median with its range, as a Markdown table.
pub(crate) fn targets_table(results: &Results) -> String {
    let mut table = String::from("| figure |");
    for server in Server::ALL {
        let _ = write!(table, " {} |", server.title());
    }
    table.push_str(" ours / Node in memory | target | |\n|---|");
    table.push_str(&"--:|".repeat(Server::ALL.len() + 1));
    table.push_str("---|---|\n");
    for target in targets(&results.sizes) {
        let _ = write!(table, "| {} |", target.title);
        for server in Server::ALL {
            let spread = spread(results, target.scenario, server, target.figure);
            let _ = write!(table, " {} |", cell(spread, target.digits));
        }
        let ours = spread(results, target.scenario, Server::HorseTrust, target.figure);
        let ratio = ratio(results, target.scenario, target.figure);
        let verdict = verdict(target.goal, ours, ratio);
        let _ = writeln!(table, " {} | {} | {verdict} |", cell(ratio, 2), target.wording);
    }
    table
}

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

/// Three or so significant digits.
fn digits_for(value: f64) -> usize {
    match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_five_digits_on() {
        assert_eq!(number(20_000.0, 0), "20\u{202f}000");
        assert_eq!(number(1_234_567.25, 2), "1\u{202f}234\u{202f}567.25");
        assert_eq!(number(8400.0, 0), "8400");
        assert_eq!(number(0.5, 2), "0.50");
    }

    #[test]
    fn a_cell_shows_the_range_if_there_is_one() {
        assert_eq!(cell(Spread::of([1.0, 2.0, 4.0]), 0), "2 (1–4)");
        assert_eq!(cell(Spread::of([2.0]), 1), "2.0");
        assert_eq!(cell(None, 1), "–");
    }

    #[test]
    fn a_target_is_met_at_its_bound_and_missed_beyond() {
        let at = |value| Spread::of([value]);
        assert_eq!(verdict(Goal::AtMost(40.0), at(40.0), None), "met");
        assert_eq!(verdict(Goal::AtMost(40.0), at(50.0), None), "missed by 25 %");
        assert_eq!(verdict(Goal::AtLeast(20_000.0), at(15_000.0), None), "missed by 25 %");
        assert_eq!(verdict(Goal::AtMost(0.0), at(3.0), None), "missed by 3");
        assert_eq!(verdict(Goal::RatioAtMost(0.5), at(3.0), at(0.4)), "met");
        assert_eq!(verdict(Goal::RatioAtMost(0.5), at(3.0), None), "not measured");
    }
}
