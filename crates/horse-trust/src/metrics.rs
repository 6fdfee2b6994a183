//! What is counted and timed, in Prometheus' words. No figure is about a user.
//!
//! On the way of a message only atomics are touched. What can be looked at when somebody asks (sessions, their
//! outboxes, the process) is not counted on its way at all.

mod process;
mod register;
mod store;

use std::sync::OnceLock;
use std::time::Instant;

use http::StatusCode;
use parking_lot::Mutex;
use prometheus::{
    Encoder as _, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};
use socketio::CloseReason;

use self::process::Process;
use self::register::{counter, gauge, histogram, opts, register};
pub use self::store::MeasuredStore;

/// The statuses of HTTP are below this.
const STATUSES: usize = 600;

/// The figures of one server.
pub struct Metrics {
    registry: Registry,
    sessions: Sessions,
    process: Process,
    acknowledgement: Histogram,
    answers: IntCounterVec,
    /// Those of `answers` that were needed so far, by status: to be found without a lock.
    answers_by_status: [OnceLock<IntCounter>; STATUSES],
    request: Histogram,
    /// Held while the figures are brought up to date, so that two who ask do not count twice.
    asking: Mutex<()>,
}

/// The engine's figures, as they were when somebody last asked.
struct Sessions {
    open: IntGaugeVec,
    opened: IntCounter,
    closed: IntCounterVec,
    waiting: IntGauge,
    most_waiting: IntGauge,
}

/// The figures of what connects nodes; made for a server that has a bus.
pub struct BusMetrics {
    publish: Histogram,
    errors: IntCounter,
    received: IntCounter,
    filled: IntCounter,
    connected: IntGauge,
}

impl Metrics {
    /// Figures that are all zero.
    pub fn new() -> Self {
        let registry = Registry::new();
        let build = IntGaugeVec::new(opts("build_info", "The version that runs; always 1"), &["version"]);
        let build = register(&registry, build);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            sessions: Sessions {
                open: register(
                    &registry,
                    IntGaugeVec::new(opts("sessions", "Connections now, by transport"), &["transport"]),
                ),
                opened: counter(&registry, "sessions_opened_total", "Connections that were made"),
                closed: register(
                    &registry,
                    IntCounterVec::new(
                        opts("sessions_closed_total", "Connections that ended, by reason"),
                        &["reason"],
                    ),
                ),
                waiting: gauge(&registry, "outbox_bytes", "Bytes that wait to be sent to clients"),
                most_waiting: gauge(
                    &registry,
                    "outbox_bytes_most",
                    "Bytes that wait for the client for which most do",
                ),
            },
            process: Process::new(&registry),
            acknowledgement: histogram(
                &registry,
                "acknowledgement_seconds",
                "From a send_message to its acknowledgement, of those that were stored",
            ),
            answers: register(
                &registry,
                IntCounterVec::new(
                    opts("http_answers_total", "HTTP requests that were answered, by status"),
                    &["status"],
                ),
            ),
            answers_by_status: [const { OnceLock::new() }; STATUSES],
            request: histogram(
                &registry,
                "http_request_seconds",
                "How long HTTP requests took, those of connections (/socket.io/) left out",
            ),
            asking: Mutex::new(()),
            registry,
        }
    }

    /// A message that came at `begin` is acknowledged now.
    pub fn acknowledged(&self, begin: Instant) {
        self.acknowledgement.observe(begin.elapsed().as_secs_f64());
    }

    /// An HTTP request was answered.
    pub fn answered(&self, status: StatusCode) {
        if let Some(slot) = self.answers_by_status.get(usize::from(status.as_u16())) {
            slot.get_or_init(|| self.answers.with_label_values(&[status.as_str()])).inc();
        }
    }

    /// A request that came at `begin`, and was not of a connection, is answered now.
    pub fn request_took(&self, begin: Instant) {
        self.request.observe(begin.elapsed().as_secs_f64());
    }

    /// A counter of another part; to be made once.
    pub(crate) fn counter(&self, name: &str, help: &str) -> IntCounter {
        register::counter(&self.registry, name, help)
    }

    /// A gauge of another part; to be made once.
    pub(crate) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        register::gauge(&self.registry, name, help)
    }

    /// The figures of a bus; to be made once.
    pub fn bus(&self) -> BusMetrics {
        let registry = &self.registry;
        BusMetrics {
            publish: histogram(registry, "bus_publish_seconds", "How long the bus took to accept an event"),
            errors: counter(
                registry,
                "bus_errors_total",
                "Events that could not be published to other nodes",
            ),
            received: counter(registry, "bus_received_total", "Events received from other nodes"),
            filled: counter(
                registry,
                "bus_healed_total",
                "Messages read from the store after a gap of the bus",
            ),
            connected: gauge(registry, "bus_connected", "Whether events of other nodes are received"),
        }
    }

    /// All figures in Prometheus' text format, and its content type.
    pub fn render(&self, engine: &socketio::Server) -> (Vec<u8>, String) {
        let _asking = self.asking.lock();
        self.sessions.look_at(engine);
        self.process.look();
        let encoder = TextEncoder::new();
        let mut text = Vec::new();
        if let Err(error) = encoder.encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics could not be written");
        }
        (text, encoder.format_type().to_owned())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Sessions {
    fn look_at(&self, engine: &socketio::Server) {
        let now = engine.statistics();
        self.open.with_label_values(&["websocket"]).set(integer(now.websocket));
        self.open.with_label_values(&["polling"]).set(integer(now.polling));
        self.waiting.set(integer(now.waiting_bytes));
        self.most_waiting.set(integer(now.most_waiting_bytes));
        bring_to(&self.opened, engine.opened_sessions());
        for reason in CloseReason::ALL {
            let closed = self.closed.with_label_values(&[reason.as_str()]);
            bring_to(&closed, engine.closed_sessions().get(reason));
        }
    }
}

impl BusMetrics {
    /// The bus took what was given to it at `begin`, or failed to.
    pub fn published(&self, begin: Instant, is_told: bool) {
        if is_told {
            self.publish.observe(begin.elapsed().as_secs_f64());
        } else {
            self.errors.inc();
        }
    }

    /// An event of another node has arrived.
    pub fn received(&self) {
        self.received.inc();
    }

    /// So many messages were read from the store because the bus had lost them.
    pub fn gaps_filled(&self, count: usize) {
        self.filled.inc_by(count as u64);
    }

    /// Whether events of other nodes arrive.
    pub fn set_connected(&self, is_connected: bool) {
        self.connected.set(i64::from(is_connected));
    }
}

/// Brings a counter to what was counted elsewhere.
fn bring_to(counter: &IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn integer(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_as_they_are() {
        let metrics = Metrics::new();
        let bus = metrics.bus();
        metrics.acknowledged(Instant::now());
        metrics.answered(StatusCode::OK);
        metrics.answered(StatusCode::OK);
        metrics.answered(StatusCode::NOT_FOUND);
        bus.set_connected(true);
        bus.gaps_filled(1);
        let engine = socketio::Server::builder(socketio::Config::default()).build();
        for _ in 0..2 {
            let (text, content_type) = metrics.render(&engine);
            let text = String::from_utf8(text).unwrap();
            assert!(content_type.starts_with("text/plain"));
            for line in [
                "horse_trust_acknowledgement_seconds_count 1",
                "horse_trust_http_answers_total{status=\"200\"} 2",
                "horse_trust_http_answers_total{status=\"404\"} 1",
                "horse_trust_sessions{transport=\"websocket\"} 0",
                "horse_trust_sessions_closed_total{reason=\"ping timeout\"} 0",
                "horse_trust_bus_connected 1",
                "horse_trust_bus_healed_total 1",
                concat!("horse_trust_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            ] {
                assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
            }
            let resident = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
            assert!(resident.unwrap().parse::<f64>().unwrap() > 1e6, "{resident:?}");
        }
    }
}
