//! Group commit: writes that arrive while a commit is under way are committed together by the next one.
//!
//! ```text
//! callers ──push──► Queue ──batch──► Engine::commit ──outcomes──► Callbacks ──► callers' callbacks
//!          (bounded in bytes)    (SQLite: own thread,            (a task of the
//!                                 PostgreSQL: a task)              runtime)
//! ```
//!
//! There is one order: writes are committed in the order in which they were pushed, and their callbacks run in that
//! order, one at a time. What an engine has to do is [`Engine`]; all else is here, for every engine alike.

mod callbacks;
mod commit;
mod custom;
mod engine;
mod queue;
#[cfg(test)]
mod tests;
mod write;

pub(in crate::store) use self::commit::GroupCommit;
pub(in crate::store) use self::custom::Custom;
pub(in crate::store) use self::engine::Engine;
pub(in crate::store) use self::write::{BlockChange, Pending, Write};
