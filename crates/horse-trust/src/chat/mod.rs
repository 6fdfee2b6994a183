//! The rules of the chat: who may write where, what a message may say, and who is notified in which order. No transport
//! and no SQL; it calls the [`Store`](crate::store::Store) and the [`Bus`](crate::bus::Bus).
//!
//! Imports run downwards: the files that have rules of one topic each -> `access` -> `service` -> the state of each topic
//! (`presence_tracker`, `typing_tracker`, `receipt_queue`, `limits`, `turns`, `coalescer`).

mod access;
mod bus_delegate;
mod coalescer;
mod config;
mod conversation_updates;
mod conversations;
mod erasure;
mod feed;
mod limits;
mod listings;
mod lookup;
mod messages;
mod people;
mod platform;
mod presence;
#[cfg(test)]
mod presence_properties;
mod presence_tracker;
mod profiles;
mod reading;
mod receipt_queue;
mod receipts;
mod reports;
mod service;
mod sessions;
mod shared;
mod turns;
mod typing;
mod typing_tracker;
pub mod view;

pub use self::access::SendContext;
pub use self::config::ChatConfig;
pub use self::lookup::Lookup;
pub use self::messages::SendResult;
pub use self::reading::{MessagePlace, Offset, Replay, Slice};
pub use self::reports::Reports;
pub use self::service::Chat;
pub use self::turns::{Turn, UserTurns};
pub use crate::contract::{Draft, MessageJson, Refusal};
