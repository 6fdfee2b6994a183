//! Carries events to the sockets that they are for, on whatever node those are.
//!
//! [`Hub`] has the sockets of this node; alone it is the bus of a server without other nodes. [`RedisBus`] notifies the
//! hub first and then the other nodes. The sequencer puts what arrives from all nodes into the order of each user.
//!
//! Imports run downwards: `redis` -> `transfer` -> `sequencer` -> `hub` -> `replays`; all of them know `event`, `api`
//! and `delegate`.

mod api;
mod delegate;
#[cfg(test)]
mod delivery_properties;
mod event;
mod hub;
mod presence_filter;
mod redis;
mod replay_state;
mod replays;
mod rooms;
mod sequencer;
mod transfer;
mod user_sequence;
mod wire;

pub use self::api::{
    Bus, DeliveryCursor, DeliveryWait, Presence, PresenceEvent, PresenceVersion, Publish, Quota, Quotas,
    SocketTransfer, Subscribe, SubscribeFuture, Subscription, Transfer,
};
pub use self::delegate::{Delegate, StoredMessage};
pub use self::event::{BusEvent, Except, MessageEvent};
pub use self::hub::Hub;
#[cfg(test)]
pub(crate) use self::presence_filter::PresenceFilter;
pub use self::redis::{NodeName, RedisBus, RedisError, check as check_redis};
pub use self::replay_state::BufferedEvent;
pub use self::rooms::{conversation_room, user_room};
