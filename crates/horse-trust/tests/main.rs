//! The integration tests, one binary: a module a subject.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

/// A test of each check with each engine; `$run` is a function that prepares what a check is given.
macro_rules! suite {
    (over [$($engine:ident),*], with $run:ident, $checks:tt) => {
        $(suite!($engine, $run, $checks);)*
    };
    ($engine:ident, $run:ident, [$($check:ident),* $(,)?]) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    super::$run(stringify!($engine), super::$check).await;
                }
            )*
        }
    };
}

mod fixture;
mod http;
mod import;
mod postgres;
mod store;
