//! Makes figures and registers them.

use prometheus::core::Collector;
use prometheus::{Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntGauge, Opts, Registry};

/// The upper ends of the buckets of all times, in seconds: from a commit in memory to where clients give up.
const BUCKETS: &[f64] =
    &[0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// Names in this file are our own, checked by the tests: they are neither wrong nor given twice.
const OURS: &str = "metrics have valid names, each once";

pub(super) fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("horse_trust")
}

pub(super) fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> C {
    let collector = made.expect(OURS);
    registry.register(Box::new(collector.clone())).expect(OURS);
    collector
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(registry, IntCounter::with_opts(opts(name, help)))
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    register(registry, IntGauge::with_opts(opts(name, help)))
}

pub(super) fn histogram(registry: &Registry, name: &str, help: &str) -> Histogram {
    register(registry, Histogram::with_opts(histogram_opts(name, help)))
}

pub(super) fn histograms(registry: &Registry, name: &str, help: &str, label: &str) -> HistogramVec {
    register(registry, HistogramVec::new(histogram_opts(name, help), &[label]))
}

pub(super) fn histogram_opts(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts { common_opts: opts(name, help), buckets: BUCKETS.to_vec() }
}

/// A figure of the process, which by custom has no prefix of ours.
pub(super) fn process_gauge(registry: &Registry, name: &str, help: &str) -> Gauge {
    register(registry, Gauge::with_opts(Opts::new(name, help)))
}
