//! What `/metrics` says of webhooks.

use prometheus::{IntCounter, IntGauge};

use crate::metrics::Metrics;

/// The figures of all URLs together.
#[derive(Clone)]
pub(super) struct Figures {
    pub(super) sent: IntCounter,
    pub(super) failed: IntCounter,
    pub(super) given_up: IntGauge,
    pub(super) waiting: IntGauge,
    pub(super) oldest: IntGauge,
}

impl Figures {
    /// To be made once.
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            sent: metrics.counter("webhooks_sent_total", "Events that a receiver has answered with 2xx"),
            failed: metrics.counter("webhooks_failed_total", "Attempts to send an event that failed"),
            given_up: metrics.gauge("webhooks_given_up", "Events that were given up in the last 30 days"),
            waiting: metrics.gauge("webhooks_waiting", "Events that wait to be sent"),
            oldest: metrics.gauge("webhooks_oldest_seconds", "How long the oldest of those has waited"),
        }
    }
}
