//! The real-time server of Horse Trust: conversations of two between buyers and sellers of horses.
//!
//! Where to look:
//! - [`contract`]: what clients send and get, field by field: payloads, acknowledgements, refusals
//! - [`chat`]: the rules; who may write where, and who is notified in which order
//! - [`realtime`]: the events of the Socket.IO contract, one function each
//! - [`admin`]: the rules of the admin API
//! - [`http`]: the routes, one file a resource
//! - [`store`]: what is remembered, one folder an engine
//! - [`bus`]: what carries an emit to the sockets of a room
//! - [`import`]: files of `mongoexport` in
//! - [`app`]: where store and bus are chosen and wired; [`config`], [`env_file`]: the settings; [`demo`]: two people
//! - [`command`]: what the command line asks a running server, over the admin API
//! - [`metrics`]: what is counted and timed
//! - [`webhooks`]: events for the platform, by HTTP
//! - [`http_client`]: calls other servers
//! - [`auth`]: tokens and passwords; [`id`], [`timestamp`], [`json`], [`unicode`]: small words that all use
//!
//! Imports run downwards only: `realtime` and `http` -> `chat` -> `store` and `bus` -> `contract`; the protocol
//! engine (the `socketio` crate) is below all.

pub mod admin;
pub mod app;
pub mod auth;
pub mod bus;
pub mod callback;
pub mod chat;
pub mod command;
pub mod config;
pub mod contract;
pub mod demo;
pub mod env_file;
pub mod http;
pub mod http_client;
pub mod id;
pub mod import;
pub mod json;
pub mod logging;
pub mod metrics;
pub mod realtime;
pub mod store;
pub mod timestamp;
pub mod unicode;
pub mod webhooks;
