//! Why the bus can't be used.

/// Why the bus can't be used. Never holds the password.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL: {0}")]
pub struct RedisError(pub(super) String);
