//! Who is there, on whatever node; and who no longer is on this one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{PIPELINE, PREFIX, RESPONSE, RedisBus, Subscription};
use crate::bus::Bus as _;
use crate::id::Id;

/// How long a user's presence lasts that is not renewed, in seconds.
pub(super) const PRESENCE_SECONDS: u64 = 60;
/// How often it is renewed.
const PRESENCE_RENEWAL: Duration = Duration::from_secs(20);
/// How often users who are gone are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Whether a user has a device on any node. One key a user: a sorted set of nodes by the second in which their word
/// ends, by the clock of Redis. `ARGV`: node, 1 or 0, seconds. Answers whether no other node has a device.
pub(super) const PRESENCE: &str = r"
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREM', KEYS[1], ARGV[1])
local others = redis.call('ZCARD', KEYS[1])
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[3] + 1)
end
return others == 0 and 1 or 0";

/// Whether another node has a device of a user. `ARGV`: node.
pub(super) const ELSEWHERE: &str = r"
local now = tonumber(redis.call('TIME')[1])
local nodes = redis.call('ZRANGEBYSCORE', KEYS[1], now + 1, '+inf')
for _, node in ipairs(nodes) do if node ~= ARGV[1] then return 1 end end
return 0";

impl RedisBus {
    /// Renews what is said of presence, and gives up the channels of users who are gone.
    pub(super) async fn look_after(self: Arc<Self>) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut renewal = tokio::time::interval(PRESENCE_RENEWAL);
        loop {
            tokio::select! {
                _ = sweep.tick() => {
                    for user in self.sequencer.sweep() {
                        // The listener is there for as long as the bus is.
                        drop(self.subscriptions.send(Subscription::Remove(user)));
                    }
                }
                _ = renewal.tick() => {
                    let here: Vec<Id> =
                        self.sequencer.users().into_iter().filter(|user| self.hub.has_device(user)).collect();
                    for users in here.chunks(PIPELINE) {
                        drop(self.set_present(users, true).await);
                    }
                }
            }
        }
    }

    /// Runs a script for each user; `None` if Redis does not answer.
    pub(super) async fn ask(&self, script: &str, users: &[Id], arguments: &[&str]) -> Option<Vec<bool>> {
        let mut connection = self.questions.lock().clone()?;
        let mut pipeline = redis::pipe();
        for user in users {
            let command = pipeline.cmd("EVAL").arg(script).arg(1).arg(format!("{PREFIX}present:{user}"));
            for argument in arguments {
                command.arg(argument);
            }
        }
        match timeout(RESPONSE, pipeline.query_async(&mut connection)).await {
            Ok(Ok(answers)) => Some(answers),
            Ok(Err(error)) => {
                tracing::warn!(%error, "Redis did not answer who is there");
                None
            }
            Err(_) => None,
        }
    }
}
