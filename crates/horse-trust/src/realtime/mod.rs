//! The events of the Socket.IO contract on the engine.
//!
//! Imports run downwards: `handler` -> `events`, `replay` -> `services` -> `replay_turns`, `expiry`.

mod events;
mod expiry;
mod handler;
mod replay;
mod replay_turns;
mod services;

pub use self::expiry::Expiries;
pub use self::handler::Realtime;
