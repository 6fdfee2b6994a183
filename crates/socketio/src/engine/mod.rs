//! Engine.IO without I/O: packets, frames, and why sessions end. Every other folder may import from here; this one
//! imports from none of them.

pub(crate) mod binary_text;
pub(crate) mod close;
pub(crate) mod frame;
pub(crate) mod packet;
