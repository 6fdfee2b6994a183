//! Sessions on tokio: the task of each, and the requests of HTTP long-polling. `protocol`, `http` and `server` import
//! from here.

pub(crate) mod budget;
pub(crate) mod connection;
pub(crate) mod polling;
pub(crate) mod session;
pub(crate) mod upgrade;
