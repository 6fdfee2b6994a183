//! The names of the rooms that sockets join.

use crate::id::Id;

/// The room of a user's sockets that have joined a conversation. The two participants have a room each, because events
/// reach each of them in the order of all that concerns that user.
pub fn conversation_room(conversation: &Id, user: &Id) -> String {
    format!("conv:{conversation}:{user}")
}

/// The room of all sockets of a user.
pub fn user_room(id: &Id) -> String {
    format!("user:{id}")
}

/// The room of a user's sockets that receive the messages of all conversations, whether they joined them or not.
pub(super) fn feed_room(id: &Id) -> String {
    format!("feed:{id}")
}
