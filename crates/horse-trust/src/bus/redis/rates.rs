//! A user's quota of messages over all nodes, without a command to Redis before each message.
//!
//! A node that has a device of the user receives every message of the user, and counts it. Once more than half of a burst
//! is used, it writes that to Redis a moment later. A node without a device, to which messages are posted over HTTP, asks
//! Redis. So a user may have at most half a burst more than is allowed, once. What is rare, such as opening a
//! conversation, is asked each time.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::limits::PIPELINE;
use super::names::rate_key;
use super::node::RedisBus;
use crate::bus::api::{Quota, Quotas};
use crate::id::Id;

/// Notes how much of a user's quota is used. `ARGV`: microseconds until it is whole again. The key holds when that is, by
/// the clock of Redis.
const NOTE: &str = r"
local time = redis.call('TIME')
local full_at = time[1] * 1000000 + time[2] + ARGV[1]
if full_at > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil(ARGV[1] / 1000))
end
return 0";

/// Counts one use. `ARGV`: how many microseconds it costs, and how many a burst does. Answers how many microseconds are
/// missing; then the use is not counted.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0)) + ARGV[1]
local missing = full_at - now - ARGV[2]
if missing > 0 then return math.ceil(missing) end
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
return 0";

impl Quota {
    /// How many microseconds one use costs.
    fn cost(self) -> u64 {
        u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX).max(1)
    }
}

#[async_trait]
impl Quotas for RedisBus {
    fn record_usage(&self, user: &Id, count: u32, quota: Quota) {
        if count > quota.burst / 2 {
            self.usage.lock().insert((quota.name, user.clone()), u64::from(count) * quota.cost());
            self.has_usage.notify_one();
        }
    }

    /// While Redis is away each node counts for itself.
    async fn take_from_quota(&self, user: &Id, quota: Quota) -> Option<Duration> {
        let mut pipeline = redis::pipe();
        let burst = quota.cost().saturating_mul(quota.burst.into());
        pipeline.cmd("EVAL").arg(TAKE).arg(1).arg(rate_key(quota.name, user)).arg(quota.cost()).arg(burst);
        let [missing]: [u64; 1] = self.query(&pipeline).await?;
        (missing > 0).then(|| Duration::from_micros(missing))
    }
}

impl RedisBus {
    /// Writes to Redis who has used much of a quota, for as long as the bus is there.
    pub(super) async fn publish_usage(self: Arc<Self>) {
        loop {
            self.has_usage.notified().await;
            let all = Vec::from_iter(std::mem::take(&mut *self.usage.lock()));
            for used in all.chunks(PIPELINE) {
                let mut pipeline = redis::pipe();
                for ((name, user), microseconds) in used {
                    let key = rate_key(name, user);
                    pipeline.cmd("EVAL").arg(NOTE).arg(1).arg(key).arg(microseconds).ignore();
                }
                // Without Redis each node counts for itself.
                _ = self.query::<()>(&pipeline).await;
            }
        }
    }
}
