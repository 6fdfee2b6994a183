//! Load generator and side-by-side comparison.
//!
//! - `client`, `frame`, `packet`: a Socket.IO client of our own, cheap enough to share two cores with the server
//! - `world`, `http`: the people, conversations and tokens that a server is given
//! - `server`, `process`: the servers under test, and what the kernel says about them
//! - `scenario`: what is done to a server
//! - `plan`, `compare`: which scenarios each server goes through, in interleaved rounds
//! - `history`: the product on a large store beside a small one
//! - `results`, `stats`, `figures`, `machine`: what was measured, and where
//! - `targets`, `report`, `plots`: what is said about it
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks by printing")]

mod client;
mod command;
mod compare;
mod figures;
mod frame;
mod history;
mod http;
mod machine;
mod pace;
mod packet;
mod plan;
mod plots;
mod process;
mod report;
mod results;
mod scenario;
mod server;
mod stats;
mod targets;
mod world;

use std::process::ExitCode;

use clap::Parser as _;

/// One thread: the other core is the server's.
fn main() -> ExitCode {
    let command = command::Command::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .map_err(Into::into)
        .and_then(|runtime| tokio::task::LocalSet::new().block_on(&runtime, command::run(command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("horse-trust-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}
