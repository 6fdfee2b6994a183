//! Bounds and times that the parts of the bus share.

use std::time::Duration;

/// How many bytes of events may wait to be published; beyond, other nodes read messages from the store.
pub(super) const QUEUE: usize = 32 * 1024 * 1024;
/// How many commands go to Redis in one round trip.
pub(super) const PIPELINE: usize = 256;
/// How long Redis may take for an answer.
pub(super) const RESPONSE: Duration = Duration::from_secs(2);
/// How long is waited between two attempts to connect, at first and at most.
pub(super) const BACKOFF: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// How often a node says that it is alive.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long without a heartbeat, its own included, a node or the connection counts as lost.
pub(super) const SILENCE: Duration = Duration::from_secs(4);
