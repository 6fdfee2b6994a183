//! The process as the kernel sees it, under the names that all of Prometheus' clients use.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Counter, Gauge, Opts, Registry};
use rustix::time::{ClockId, clock_gettime};

use super::register::{process_gauge, register};

/// The figures.
pub(super) struct Process {
    cpu: Counter,
    resident: Gauge,
}

impl Process {
    pub(super) fn new(registry: &Registry) -> Self {
        let started =
            process_gauge(registry, "process_start_time_seconds", "When the process began, in Unix time");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        started.set(now.as_secs_f64());
        let limit = process_gauge(registry, "process_max_fds", "How many descriptors the process may have");
        #[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
        limit.set(socketio::raise_descriptor_limit() as f64);
        let cpu = Opts::new("process_cpu_seconds_total", "CPU time, of user and kernel, over all threads");
        Self {
            cpu: register(registry, Counter::with_opts(cpu)),
            resident: process_gauge(registry, "process_resident_memory_bytes", "Memory that is resident"),
        }
    }

    /// Brings the figures up to date.
    pub(super) fn look(&self) {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "Prometheus knows no other numbers")]
        let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
        self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        // Not there on other systems than Linux; the figure stays 0 then.
        let pages = fs::read_to_string("/proc/self/statm").ok();
        let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<f64>().ok());
        #[expect(clippy::cast_precision_loss, reason = "a page is small")]
        self.resident.set(pages.unwrap_or_default() * rustix::param::page_size() as f64);
    }
}
