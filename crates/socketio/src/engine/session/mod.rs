//! An Engine.IO session without I/O: inputs and the time go in, outputs and the next deadline come out.
//!
//! [`Session`] holds all that is delicate about a session: the transport, two requests of HTTP long-polling and an upgrade
//! that meet, the heartbeat, what waits to be sent, and how it all ends. It has no socket, no clock and no waker, so
//! `tests` drives it with made-up time through every order of events. `driver` runs it.
//!
//! - `io`: what goes in and comes out
//! - `state`: the session; `polling`: the part of it that only HTTP long-polling has; `requests`: what these do to it

mod io;
mod polling;
mod requests;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use io::{Input, Output, Refused, Request, Response};
pub(crate) use state::Session;
