//! HTTP: connections accepted, requests answered. Only `server` imports from here, and `lib` for applications.

pub(crate) mod compression;
pub(crate) mod forwarded;
pub(crate) mod handshake;
pub(crate) mod head_time;
pub(crate) mod listener;
pub(crate) mod service;
