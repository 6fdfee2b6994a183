//! Delivery: what users missed, their positions, and what was delivered to their devices.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{Delivered, Missed, UserPosition};
use crate::timestamp::Timestamp;

/// Delivery: what users missed, their positions, and what was delivered to their devices.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// The messages behind `after` (all, if `None`) in the conversations of `user`: those with a greater sequence number in
    /// the conversation of `after`, and with a greater id in the others. At most `limit` messages.
    async fn missed(&self, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed>;

    /// The position of each of these users: the number of messages in all their conversations, deleted ones included. A
    /// user without messages may be left out.
    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>>;

    /// The position of each of these users with the conversations that it consists of. A user without messages may be left
    /// out.
    async fn detailed_positions_of(&self, users: Vec<Id>) -> Result<Vec<UserPosition>>;

    /// Records how far messages were delivered; a record never goes back.
    async fn set_delivered(&self, delivered: Vec<Delivered>) -> Result<()>;

    /// Records when users' last devices disconnected.
    async fn set_last_seen(&self, seen: Vec<(Id, Timestamp)>) -> Result<()>;
}
