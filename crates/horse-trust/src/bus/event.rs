//! What the bus carries.

use std::borrow::Cow;
use std::sync::Arc;

use socketio::SocketId;

use crate::id::Id;
use crate::store::{Conversation, Revocation, TokenId};

/// A stored message: `new_message` for the conversation's rooms and the feeds of the two participants,
/// `message_notification` for the recipient's devices.
#[derive(Debug, Clone)]
pub struct MessageEvent {
    /// The conversation.
    pub conversation: Arc<Conversation>,
    /// The message's sequence number in the conversation.
    pub seq: i64,
    /// For each of the two in the order of `participants`, the message's position among all messages of that user's
    /// conversations, from 1 on. 0 from a store that only one node uses.
    pub positions: [i64; 2],
    /// The sender.
    pub sender: Id,
    /// The argument of `new_message`, as JSON.
    pub json: Arc<str>,
    /// The argument of `message_notification`, as JSON.
    pub notification: Arc<str>,
}

/// Any other event.
#[derive(Debug, Clone)]
pub enum BusEvent {
    /// An event for some sockets, once each.
    Emit {
        /// The event's name.
        name: Cow<'static, str>,
        /// Its argument, as JSON.
        argument: String,
        /// The conversation whose rooms receive it, if there is one.
        conversation: Option<Arc<Conversation>>,
        /// The users whose devices receive it.
        users: Vec<Id>,
        /// Which sockets of this node do not receive it.
        except: Option<Except>,
    },
    /// A user started typing in a conversation on this node, or stopped on the last of its devices here. No socket
    /// receives it: each node merges what it knows of all nodes and notifies its own sockets
    /// ([`Delegate::event_received`](super::Delegate::event_received)).
    Typing {
        /// The user.
        user: Id,
        /// The conversation.
        conversation: Arc<Conversation>,
        /// Whether the user types.
        types: bool,
        /// The node on which, if it is another.
        node: Option<Box<str>>,
    },
    /// A user's unread count in a conversation has changed. Each node that has a device of the user reads the count
    /// anew before it sends it, so the last value sent is current.
    UnreadChanged {
        /// The user.
        user: Id,
        /// The conversation.
        conversation: Arc<Conversation>,
    },
    /// What a user is shown of a conversation has changed. Each node that has a device of the user reads the conversation
    /// anew before it sends it, so the last value sent is current.
    ConversationChanged {
        /// The user.
        user: Id,
        /// The conversation, by the store's key.
        conversation: i64,
    },
    /// What is shown of a horse has changed. Each node reads the conversations about it that it has a device for.
    ListingChanged {
        /// The horse.
        horse: Id,
    },
    /// A user's earlier tokens are void: the user's sockets are disconnected.
    TokensRevoked {
        /// The user.
        user: Id,
        /// Which tokens.
        revocation: Revocation,
    },
    /// A user signed a token out: the sockets that use it are disconnected. It is published locally alone, because each node
    /// learns it from the store.
    TokenVoid {
        /// The user.
        user: Id,
        /// The token.
        token: TokenId,
    },
    /// A user's account is suspended: the user's sockets are notified and disconnected. It is published locally alone,
    /// because each node learns it from the store.
    AccountSuspended {
        /// The user.
        user: Id,
        /// The argument of `account_suspended`, as JSON.
        argument: String,
    },
    /// A block between two users was set or taken back.
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

/// Sockets that an event is not for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Except {
    /// This socket does not receive it.
    Everywhere(SocketId),
    /// This socket does not receive it as one of its user's devices, but does as a member of the conversation's room.
    AsDevice(SocketId),
    /// No socket of this participant receives it, by the index in `participants`.
    Participant(usize),
}

/// The event that carries a message.
pub(super) const NEW_MESSAGE: &str = "new_message";
/// The event that announces a message to the recipient's devices.
pub(super) const NOTIFICATION: &str = "message_notification";
