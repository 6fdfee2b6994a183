//! What carries news to the sockets that they are for, wherever those are.

mod hub;

use std::sync::Arc;

use socketio::SocketId;

pub use self::hub::Hub;
use crate::id::Id;
use crate::store::Conversation;
use crate::timestamp::Timestamp;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A message was stored: `new_message` to the conversation's room and to all who follow it by their feed,
    /// `message_notification` to the other's devices.
    Message {
        /// Where.
        conversation: Arc<Conversation>,
        /// Its place.
        seq: i64,
        /// Who wrote it.
        sender: Id,
        /// The message.
        json: Arc<str>,
        /// The notification.
        notification: String,
    },
    /// An event for some sockets, once each.
    Event {
        /// Its name.
        name: &'static str,
        /// Its argument, as JSON.
        argument: String,
        /// The conversation in whose room it is told, if there is one.
        conversation: Option<Id>,
        /// The users whose devices are told.
        users: Vec<Id>,
        /// A socket that is left out.
        except: Option<Except>,
    },
    /// A user's tokens from before then are void: all sockets end.
    TokensRevoked {
        /// The user.
        user: Id,
        /// When.
        not_before: Timestamp,
    },
    /// What two users block of each other has changed.
    BlocksChanged {
        /// The two.
        users: [Id; 2],
    },
    /// A user's profile has changed.
    ProfileChanged {
        /// The user.
        user: Id,
    },
}

/// A socket that an event is not for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Except {
    /// Not at all.
    Everywhere(SocketId),
    /// Not as one of its user's devices; as a member of the conversation it is told.
    AsDevice(SocketId),
}

/// Carries news. Those of one caller arrive in the order in which they were given.
pub trait Bus: Send + Sync + 'static {
    /// Tells it to whom it is for.
    fn publish(&self, notice: Notice);

    /// Whether a device of `user` is connected to this node.
    fn has_device(&self, user: &Id) -> bool;
}

/// The room of a conversation.
pub fn conversation_room(id: &Id) -> String {
    format!("conv:{id}")
}

/// The personal room of a user.
pub fn user_room(id: &Id) -> String {
    format!("user:{id}")
}

/// The room of a user's sockets that get every message of all conversations.
fn feed_room(id: &Id) -> String {
    format!("feed:{id}")
}
