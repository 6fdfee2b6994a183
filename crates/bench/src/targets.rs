//! What the product is to reach, and whether it does.

use std::fmt::Write as _;

use crate::figures::{cell, number, ratio, spread};
use crate::plan::{Scenario, Sizes};
use crate::results::Results;
use crate::scenario::as_f64;
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

#[cfg(test)]
mod tests {
    use super::*;

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
