//! Latencies and figures, and what is said about several of them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The quantiles at which a latency curve is kept.
const CURVE: [f64; 13] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0];

/// Latencies in microseconds, to three significant digits.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new(3).expect("three digits are allowed"))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        // The histogram grows by itself, so no latency is out of its range.
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.record(microseconds).expect("the histogram resizes");
    }

    pub(crate) fn summary(&self) -> LatencySummary {
        let at = |quantile| milliseconds(self.0.value_at_quantile(quantile));
        LatencySummary {
            count: self.0.len(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            maximum_ms: milliseconds(self.0.max()),
            curve: CURVE.iter().map(|&quantile| (quantile, at(quantile))).collect(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^53 µs")]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1000.0
}

/// A latency distribution, in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LatencySummary {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) maximum_ms: f64,
    /// Pairs of quantile and latency.
    pub(crate) curve: Vec<(f64, f64)>,
}

/// A median and the range around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) minimum: f64,
    pub(crate) median: f64,
    pub(crate) maximum: f64,
}

impl Spread {
    /// `None` for no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (&minimum, &maximum) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { minimum, median, maximum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_even_one_and_no_values() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { minimum: 1.0, median: 2.0, maximum: 3.0 }));
        assert_eq!(
            Spread::of([4.0, 1.0, 2.0, 3.0]),
            Some(Spread { minimum: 1.0, median: 2.5, maximum: 4.0 })
        );
        assert_eq!(Spread::of([7.0]), Some(Spread { minimum: 7.0, median: 7.0, maximum: 7.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn quantiles_are_within_a_thousandth() {
        let mut latencies = Latencies::new();
        for microseconds in 1..=10_000 {
            latencies.record(Duration::from_micros(microseconds));
        }
        let summary = latencies.summary();
        assert_eq!(summary.count, 10_000);
        assert!((summary.p50_ms - 5.0).abs() < 0.01, "{}", summary.p50_ms);
        assert!((summary.p99_ms - 9.9).abs() < 0.02, "{}", summary.p99_ms);
        assert!((summary.maximum_ms - 10.0).abs() < 0.02, "{}", summary.maximum_ms);
    }

    #[test]
    fn a_latency_beyond_all_bounds_is_recorded() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::from_hours(1));
        assert!(latencies.summary().maximum_ms > 3_590_000.0);
    }
}
