//! How far users are: what they missed, what reached their devices.

use async_trait::async_trait;

use crate::id::Id;
use crate::store::error::Result;
use crate::store::types::{Delivered, Ends, Missed};
use crate::timestamp::Timestamp;

/// How far users are: what they missed, what reached their devices.
#[async_trait]
pub trait DeliveryStore: Send + Sync + 'static {
    /// What came after the message `after` (everything, if `None`) in the conversations of `user`, at most
    /// `limit` messages.
    async fn missed(&self, user: &Id, after: Option<&Id>, limit: usize) -> Result<Missed>;

    /// How many messages the conversations of each of these users have together, deleted ones included; a user without
    /// messages may be left out.
    async fn positions_of(&self, users: Vec<Id>) -> Result<Vec<(Id, i64)>>;

    /// How far the conversations of each of these users go; a user without messages may be left out.
    async fn ends_of(&self, users: Vec<Id>) -> Result<Vec<Ends>>;

    /// Notes up to where messages have reached a device; never takes back.
    async fn set_delivered(&self, delivered: Vec<Delivered>) -> Result<()>;

    /// Notes when users' last devices went.
    async fn set_last_seen(&self, seen: Vec<(Id, Timestamp)>) -> Result<()>;
}
