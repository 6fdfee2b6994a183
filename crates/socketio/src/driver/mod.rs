//! Sessions on tokio. `protocol`, `server` and `http` import from here.
//!
//! - `handle`: a session as all see it; `sessions`: all of them; `shared`, `budget`: what they may hold together
//! - `connection`: the one task of a session; `reading`: what it reads; `handler`: what that goes to
//! - `polling`, `upgrade`: the requests that poll, post and upgrade

pub(crate) mod budget;
pub(crate) mod connection;
pub(crate) mod handle;
pub(crate) mod handler;
pub(crate) mod polling;
mod reading;
pub(crate) mod sessions;
pub(crate) mod shared;
pub(crate) mod upgrade;
