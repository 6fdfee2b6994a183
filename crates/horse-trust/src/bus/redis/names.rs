//! The names of channels and keys in Redis. None holds a `{`, which would make Redis Cluster hash a part of it alone.

use crate::id::Id;

/// Before every channel and key.
pub(super) const PREFIX: &str = "horse-trust:";

/// The channel of what concerns a user.
pub(super) fn user_channel(user: &Id) -> String {
    format!("{PREFIX}user:{user}")
}

pub(super) fn channels_of<'a>(users: impl IntoIterator<Item = &'a Id>) -> Vec<String> {
    users.into_iter().map(user_channel).collect()
}

/// The channel that every node subscribes to.
pub(super) fn all_channel() -> String {
    format!("{PREFIX}all")
}

/// The channel that one node subscribes to.
pub(super) fn node_channel(node: &str) -> String {
    format!("{PREFIX}node:{node}")
}

/// The sorted set of the nodes, by the time of their last heartbeat in seconds.
pub(super) fn nodes_key() -> String {
    format!("{PREFIX}nodes")
}

/// The set of the users who are present on a node.
pub(super) fn users_key(node: &str) -> String {
    format!("{PREFIX}users-of:{node}")
}

/// The set of the nodes on which a user is present.
pub(super) fn presence_key(user: &str) -> String {
    format!("{PREFIX}nodes-of:{user}")
}

/// Set while one node adopts the users of a dead one.
pub(super) fn adoption_key(node: &str) -> String {
    format!("{PREFIX}adopting:{node}")
}

/// The time at which a user's quota of this name is whole again, in microseconds.
pub(super) fn rate_key(name: &str, user: &Id) -> String {
    format!("{PREFIX}rate:{name}:{user}")
}
