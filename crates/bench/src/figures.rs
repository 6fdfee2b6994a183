//! Figures over the rounds of a comparison, and how they are written.

use std::fmt::Write as _;

use crate::plan::Scenario;
use crate::results::Results;
use crate::server::Server;
use crate::stats::Spread;

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
pub(crate) fn ratio(results: &Results, scenario: Scenario, figure: &str) -> Option<Spread> {
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

/// A median and its range.
pub(crate) fn cell(spread: Option<Spread>, digits: usize) -> String {
    match spread {
        None => "–".to_owned(),
        Some(Spread { minimum, median, maximum }) => {
            let [low, middle, high] = [minimum, median, maximum].map(|value| number(value, digits));
            if low == high { middle } else { format!("{middle} ({low}–{high})") }
        }
    }
}

/// Three or so significant digits.
pub(crate) fn digits_for(value: f64) -> usize {
    match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    }
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
}
