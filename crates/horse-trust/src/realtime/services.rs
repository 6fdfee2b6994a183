//! What the sockets work with, and the state of one.

use std::sync::Arc;

use super::expiry::Expiries;
use super::replay_turns::Replays;
use crate::auth::{Claims, Tokens};
use crate::bus::{DeliveryCursor, Hub, Subscription};
use crate::chat::{Chat, Offset};
use crate::metrics::Metrics;

/// What all sockets work with.
pub(super) struct Services {
    pub(super) chat: Arc<Chat>,
    pub(super) tokens: Arc<Tokens>,
    pub(super) hub: Arc<Hub>,
    pub(super) expiries: Arc<Expiries>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) replays: Replays,
}

/// A user's socket.
pub(super) struct Participant {
    pub(super) services: Arc<Services>,
    pub(super) claims: Claims,
    /// The last message that the client has, if it asks for a replay.
    pub(super) offset: Option<Offset>,
    /// With several nodes, its subscription to the user's events.
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(super) subscription: Option<Subscription>,
    /// Of a socket that moved here: which messages it has received, and its rooms.
    pub(super) transfer: Option<Box<(DeliveryCursor, Vec<Box<str>>)>>,
}
