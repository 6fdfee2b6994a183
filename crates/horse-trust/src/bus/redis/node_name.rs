//! The names of nodes.

use socketio::RecoveryConfig;

use super::error::RedisError;

/// The name of a process among the nodes: no two have the same, and a node that was restarted has another.
#[derive(Debug, Clone)]
pub struct NodeName(pub(super) String);

impl NodeName {
    /// A new one.
    pub fn random() -> Result<Self, RedisError> {
        Ok(Self(format!("{:x}", random()?)))
    }

    /// Puts the name into the private ids of this node's sockets, so that other nodes know whom to ask for them.
    pub fn mark(&self, recovery: &mut RecoveryConfig) -> Result<(), RedisError> {
        recovery.id_prefix = format!("{}.", self.0).into();
        // So far apart that no two nodes give an event the same offset.
        recovery.first_offset = random()? >> 1;
        Ok(())
    }
}

fn random() -> Result<u64, RedisError> {
    getrandom::u64().map_err(|error| RedisError(error.to_string()))
}
