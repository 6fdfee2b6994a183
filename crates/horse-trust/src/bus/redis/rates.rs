//! A user's rate of messages over all nodes, without asking Redis before each message.
//!
//! A node that has a device of the user hears of every message of the user, and counts it. Once more than half of a burst
//! is used, it tells Redis, a moment later. A node that has none, to which messages come by HTTP, asks. So a user may
//! have at most half a burst more than is allowed, once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{PIPELINE, PREFIX, RedisBus};
use crate::bus::MessageQuota;
use crate::id::Id;

/// So much of a user's quota is used, in microseconds until all is there again. `ARGV`: microseconds. The key holds when
/// all is there again, by the clock of Redis.
const NOTE: &str = r"
local time = redis.call('TIME')
local full_at = time[1] * 1000000 + time[2] + ARGV[1]
if full_at > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil(ARGV[1] / 1000))
end
return 0";

/// Counts a message. `ARGV`: microseconds that one message costs, and that a burst does. Answers how many microseconds are
/// missing; then it is not counted.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + ARGV[1]
local missing = full_at - now - ARGV[2]
if missing > 0 then return math.ceil(missing) end
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
return 0";

/// What Redis is to be told: microseconds by user.
pub(super) type Used = HashMap<Id, u64>;

impl MessageQuota {
    /// What a message costs, in microseconds.
    fn cost(self) -> u64 {
        (1_000_000 / u64::from(self.per_second)).max(1)
    }
}

impl RedisBus {
    pub(super) fn note_rate(&self, user: &Id, count: u32, quota: MessageQuota) {
        if count > quota.burst / 2 {
            self.used.lock().insert(user.clone(), u64::from(count) * quota.cost());
            self.has_used.notify_one();
        }
    }

    /// Counts a message; answers how long to wait if it is too many. While Redis is away each node counts for itself.
    pub(super) async fn take_from_quota(&self, user: &Id, quota: MessageQuota) -> Option<Duration> {
        let mut pipeline = redis::pipe();
        let burst = quota.cost() * u64::from(quota.burst);
        pipeline.cmd("EVAL").arg(TAKE).arg(1).arg(rate_key(user)).arg(quota.cost()).arg(burst);
        let [missing]: [u64; 1] = self.ask(&pipeline).await?;
        (missing > 0).then(|| Duration::from_micros(missing))
    }

    /// Tells Redis of users who have used much, for as long as the bus is there.
    pub(super) async fn publish_rates(self: Arc<Self>) {
        loop {
            self.has_used.notified().await;
            let all = Vec::from_iter(std::mem::take(&mut *self.used.lock()));
            for users in all.chunks(PIPELINE) {
                let mut pipeline = redis::pipe();
                for (user, microseconds) in users {
                    pipeline.cmd("EVAL").arg(NOTE).arg(1).arg(rate_key(user)).arg(microseconds).ignore();
                }
                // Without Redis each node counts for itself.
                _ = self.ask::<()>(&pipeline).await;
            }
        }
    }
}

/// When a user's quota is whole again.
fn rate_key(user: &Id) -> String {
    format!("{PREFIX}rate:{user}")
}
