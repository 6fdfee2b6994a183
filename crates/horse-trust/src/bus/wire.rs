//! What nodes publish to each other, as JSON. Fields may be added: a node ignores those that it does not know.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::api::{PresenceVersion, SocketTransfer};
use super::event::{BusEvent, MessageEvent};
use crate::id::Id;
use crate::store::Conversation;
use crate::timestamp::Timestamp;

/// One event, and who published it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope<'a> {
    /// The node that publishes it. Each process has a name of its own.
    #[serde(borrow)]
    pub(super) node: Cow<'a, str>,
    /// Counts the node's events, so that one that arrives by two channels is handled once.
    pub(super) number: u64,
    #[serde(borrow, rename = "news")]
    pub(super) event: WireEvent<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireEvent<'a> {
    /// A message was stored.
    Message {
        conversation: WireConversation,
        seq: i64,
        positions: [i64; 2],
        sender: Id,
        #[serde(borrow)]
        json: &'a RawValue,
        #[serde(borrow)]
        notification: &'a RawValue,
    },
    /// A conversation may have messages that were never published.
    Recheck { conversation: WireConversation },
    /// An event for the sockets of a conversation and of users.
    Event {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        argument: &'a RawValue,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<WireConversation>,
        users: Vec<Id>,
        /// Of a notification of presence: whose it is, and its version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        presence: Option<(Id, PresenceVersion)>,
    },
    /// A user started typing in a conversation on this node, or stopped.
    Typing { user: Id, conversation: WireConversation, types: bool },
    /// A user's unread count in a conversation has changed.
    UnreadChanged { user: Id, conversation: WireConversation },
    /// What a user is shown of a conversation, by the store's key, has changed.
    ConversationChanged { user: Id, conversation: i64 },
    /// What is shown of a horse has changed.
    ListingChanged { horse: Id },
    /// A user's earlier tokens are void.
    TokensRevoked {
        user: Id,
        not_before: i64,
        /// Nodes of an earlier version do not send it; the store has it a moment later.
        #[serde(default)]
        generation: i64,
    },
    /// A block between two users has changed.
    BlocksChanged { users: [Id; 2] },
    /// A user's profile has changed.
    ProfileChanged { user: Id },
    /// A client of `user` has reconnected to the node `asker`, and had its socket on this one.
    #[serde(rename = "take_over")]
    RequestSocket {
        asker: Cow<'a, str>,
        /// The asker's number for the request.
        question: u64,
        user: Id,
        pid: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<Cow<'a, str>>,
        /// How often the request may be forwarded.
        hops: u8,
    },
    /// The answer: the socket, if it was there.
    #[serde(rename = "handed_over")]
    SendSocket { question: u64, socket: Option<Box<SocketTransfer>> },
    /// A heartbeat.
    Alive,
    /// Events of the node may be lost: messages have to be read from the store.
    #[serde(rename = "unheard")]
    EventsLost,
    /// The node shuts down.
    Goodbye,
}

/// A conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireConversation {
    key: i64,
    id: Id,
    participants: [Id; 2],
    created_at: i64,
}

impl From<&Conversation> for WireConversation {
    fn from(conversation: &Conversation) -> Self {
        Self {
            key: conversation.key,
            id: conversation.id.clone(),
            participants: conversation.participants.clone(),
            created_at: conversation.created_at.0,
        }
    }
}

impl From<WireConversation> for Arc<Conversation> {
    fn from(conversation: WireConversation) -> Self {
        Self::new(Conversation {
            key: conversation.key,
            id: conversation.id,
            participants: conversation.participants,
            // No event of a conversation has the horse.
            horse_id: None,
            created_at: Timestamp(conversation.created_at),
        })
    }
}

impl<'a> WireEvent<'a> {
    /// A message as an event; `None` if its parts are no JSON.
    pub(super) fn from_message(message: &'a MessageEvent) -> Option<Self> {
        Some(Self::Message {
            conversation: WireConversation::from(&*message.conversation),
            seq: message.seq,
            positions: message.positions,
            sender: message.sender.clone(),
            json: serde_json::from_str(&message.json).ok()?,
            notification: serde_json::from_str(&message.notification).ok()?,
        })
    }

    /// Another event; `None` if its argument is no JSON, or it is for one node alone.
    pub(super) fn from_event(event: &'a BusEvent) -> Option<Self> {
        Some(match event {
            BusEvent::Emit { name, argument, conversation, users, .. } => Self::Event {
                name: Cow::Borrowed(name),
                argument: serde_json::from_str(argument).ok()?,
                conversation: conversation.as_deref().map(WireConversation::from),
                users: users.clone(),
                presence: None,
            },
            BusEvent::Typing { user, conversation, types, .. } => Self::Typing {
                user: user.clone(),
                conversation: WireConversation::from(&**conversation),
                types: *types,
            },
            BusEvent::TokensRevoked { user, revocation } => Self::TokensRevoked {
                user: user.clone(),
                not_before: revocation.not_before.0,
                generation: revocation.generation,
            },
            BusEvent::TokenVoid { .. } | BusEvent::AccountSuspended { .. } => return None,
            BusEvent::UnreadChanged { user, conversation } => Self::UnreadChanged {
                user: user.clone(),
                conversation: WireConversation::from(&**conversation),
            },
            BusEvent::ConversationChanged { user, conversation } => {
                Self::ConversationChanged { user: user.clone(), conversation: *conversation }
            }
            BusEvent::ListingChanged { horse } => Self::ListingChanged { horse: horse.clone() },
            BusEvent::BlocksChanged { users } => Self::BlocksChanged { users: users.clone() },
            BusEvent::ProfileChanged { user } => Self::ProfileChanged { user: user.clone() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_the_wire() {
        let id = |text: &str| Id::parse(text).unwrap();
        let conversation = Arc::new(Conversation {
            key: 7,
            id: id("c"),
            participants: [id("ann"), id("ben")],
            horse_id: None,
            created_at: Timestamp(5),
        });
        let message = MessageEvent {
            conversation: Arc::clone(&conversation),
            seq: 3,
            positions: [4, 9],
            sender: id("ann"),
            json: r#"{"text":"\"🐴\""}"#.into(),
            notification: r#"{"preview":"x"}"#.into(),
        };
        let event = WireEvent::from_message(&message).unwrap();
        let text = serde_json::to_string(&Envelope { node: "n".into(), number: 9, event }).unwrap();
        let received: Envelope<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!((&*received.node, received.number), ("n", 9));
        let WireEvent::Message { conversation: place, seq, positions, sender, json, notification } =
            received.event
        else {
            panic!("{text}");
        };
        assert_eq!(
            (Arc::<Conversation>::from(place), seq, positions, sender),
            (conversation, 3, [4, 9], id("ann"))
        );
        assert_eq!((json.get(), notification.get()), (&*message.json, &*message.notification));
    }

    #[test]
    fn names_on_the_wire_stay_as_nodes_of_earlier_versions_know_them() {
        let envelope = Envelope { node: "n".into(), number: 1, event: WireEvent::EventsLost };
        let text = serde_json::to_string(&envelope).unwrap();
        assert_eq!(text, r#"{"node":"n","number":1,"news":"unheard"}"#);
    }
}
