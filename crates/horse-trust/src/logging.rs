//! The log: lines on stderr, without user content and without credentials.

use std::any::Any;
use std::io::IsTerminal as _;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::LogFormat;

/// How many lines may wait to be written; beyond that, lines are dropped.
const WAITING_LINES: usize = 16_384;

/// The crates whose events below a warning are written if the filter asks for them. Each event there is known to hold
/// no text, e-mail address, password, hash, token, session id or key.
const OWN_CRATES: [&str; 2] = ["horse_trust", "socketio"];

/// Writes what `filter` asks for to stderr, as long as the guard lives. A thread of its own writes, so a slow reader of
/// stderr delays no request.
pub fn init(filter: &str, format: LogFormat) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .lossy(true)
        .thread_name("log")
        .finish(std::io::stderr());
    let lines = fmt::layer().with_writer(writer).with_ansi(std::io::stderr().is_terminal());
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    Registry::default().with(lines).with(EnvFilter::new(filter)).with(cap()).init();
    // The default hook writes to the terminal itself, and waits for it.
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        let location = panic.location().map(tracing::field::display);
        tracing::error!(panic = panic_message(panic.payload()), location, %backtrace, "a panic");
    }));
    guard
}

/// The events that no filter can enable. Below a warning, dependencies log the data that passes through them:
/// `tokio_postgres`, for one, logs the parameters of each statement at debug level, with texts, e-mail addresses and
/// password hashes.
fn cap() -> Targets {
    let own = OWN_CRATES.map(|name| (name, LevelFilter::TRACE));
    Targets::new().with_default(LevelFilter::WARN).with_targets(own)
}

/// The message of a panic, if it is a literal. One that was formatted may quote what a user wrote, as that of a string
/// cut within a character does; its location says enough.
pub fn panic_message(payload: &(dyn Any + Send)) -> &'static str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("its message is not logged, since it may quote data")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_filter_turns_on_what_dependencies_print() {
        for filter in ["trace", "tokio_postgres=trace,hyper=debug,redis=trace,horse_trust=trace"] {
            let lines = Lines::default();
            let writer = lines.clone();
            let layer = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
            let subscriber = Registry::default().with(layer).with(EnvFilter::new(filter)).with(cap());
            tracing::subscriber::with_default(subscriber, || {
                tracing::trace!(target: "horse_trust::store", "ours at trace");
                tracing::debug!(target: "tokio_postgres::query", "executing with parameters");
                tracing::info!(target: "redis", "a command");
                tracing::trace!(target: "hyper::proto", "a header");
                tracing::warn!(target: "tokio_postgres::connection", "a warning");
            });
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            assert!(text.contains("ours at trace") && !text.contains("parameters"), "{text}");
            assert!(!text.contains("a command") && !text.contains("a header"), "{text}");
            assert_eq!(text.contains("a warning"), filter == "trace" || filter.contains("tokio_postgres"));
        }
    }

    #[test]
    fn a_formatted_panic_is_not_quoted() {
        let text = String::from("pässword");
        let panic = std::panic::catch_unwind(|| text[..2].len()).unwrap_err();
        assert!(!panic_message(&*panic).contains("ssword"));
        assert_eq!(panic_message(&"a literal"), "a literal");
    }
}
