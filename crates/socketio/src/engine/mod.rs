//! Engine.IO without I/O: packets, frames, a session as a state machine, and why sessions end. Every other folder may import from here; this one
//! imports from none of them.

pub(crate) mod binary_text;
pub(crate) mod close;
pub(crate) mod frame;
pub(crate) mod opening;
pub(crate) mod packet;
pub(crate) mod query;
pub(crate) mod session;
