//! Connection state recovery: a client that lost its connection gets its rooms, and the events it missed.
//!
//! The client's part is the official client's own: it keeps the `pid` of the CONNECT reply and the last
//! argument of each event (the offset), and sends both in the auth of its next CONNECT. The server keeps a
//! log of frames a socket; a lost socket stays in its rooms, so that what is emitted goes on into its log.

pub(crate) mod log;
mod lost;
pub(crate) mod table;
