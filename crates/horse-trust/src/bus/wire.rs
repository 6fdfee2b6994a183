//! What nodes tell each other, as JSON. Fields may be added; what a node does not know it passes over.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{BusEvent, HandedOver, MessageEvent};
use crate::id::Id;
use crate::store::Conversation;
use crate::timestamp::Timestamp;

/// One event, and who published it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope<'a> {
    /// The node that tells it; by its process, so a node that was started again is another.
    #[serde(borrow)]
    pub(super) node: Cow<'a, str>,
    /// Counts what the node tells: what comes by two channels is received once.
    pub(super) number: u64,
    #[serde(borrow, rename = "news")]
    pub(super) event: WireEvent<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireEvent<'a> {
    /// A message was stored.
    Message {
        conversation: Place,
        seq: i64,
        positions: [i64; 2],
        sender: Id,
        #[serde(borrow)]
        json: &'a RawValue,
        #[serde(borrow)]
        notification: &'a RawValue,
    },
    /// A conversation may have messages that nobody told of.
    Recheck { conversation: Place },
    /// An event for the sockets of a conversation and of users.
    Event {
        #[serde(borrow)]
        name: Cow<'a, str>,
        #[serde(borrow)]
        argument: &'a RawValue,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        conversation: Option<Place>,
        users: Vec<Id>,
    },
    /// A user types in a conversation on this node, or types there no longer.
    Typing { user: Id, conversation: Place, types: bool },
    /// What a user has not read in a conversation has changed.
    UnreadChanged { user: Id, conversation: Place },
    /// A user's tokens from before then are void.
    TokensRevoked {
        user: Id,
        not_before: i64,
        /// Nodes of an earlier version do not say it; the store does, a moment later.
        #[serde(default)]
        generation: i64,
    },
    /// What two users block of each other has changed.
    BlocksChanged { users: [Id; 2] },
    /// A user's profile has changed.
    ProfileChanged { user: Id },
    /// A client of `user` has come to the node `asker` for a socket that it had on this one.
    TakeOver {
        asker: Cow<'a, str>,
        /// Its number with the asker.
        question: u64,
        user: Id,
        pid: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offset: Option<Cow<'a, str>>,
        /// How often the question may be passed on.
        hops: u8,
    },
    /// The answer: the socket, if it was there.
    HandedOver { question: u64, socket: Option<Box<HandedOver>> },
    /// The node is there.
    Alive,
    /// What the node told may not have been received: it is to be read from the store.
    #[serde(rename = "unheard")]
    EventsLost,
    /// The node ends in order.
    Goodbye,
}

/// A conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    key: i64,
    id: Id,
    participants: [Id; 2],
    created_at: i64,
}

impl From<&Conversation> for Place {
    fn from(conversation: &Conversation) -> Self {
        Self {
            key: conversation.key,
            id: conversation.id.clone(),
            participants: conversation.participants.clone(),
            created_at: conversation.created_at.0,
        }
    }
}

impl Place {
    pub(super) fn conversation(self) -> Arc<Conversation> {
        Arc::new(Conversation {
            key: self.key,
            id: self.id,
            participants: self.participants,
            // Nobody who is told of a message asks for the horse.
            horse_id: None,
            created_at: Timestamp(self.created_at),
        })
    }
}

impl<'a> WireEvent<'a> {
    /// A message as an event; `None` if its parts are no JSON.
    pub(super) fn from_message(message: &'a MessageEvent) -> Option<Self> {
        Some(Self::Message {
            conversation: Place::from(&*message.conversation),
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
                conversation: conversation.as_deref().map(Place::from),
                users: users.clone(),
            },
            BusEvent::Typing { user, conversation, types, .. } => {
                Self::Typing { user: user.clone(), conversation: Place::from(&**conversation), types: *types }
            }
            BusEvent::TokensRevoked { user, revocation } => Self::TokensRevoked {
                user: user.clone(),
                not_before: revocation.not_before.0,
                generation: revocation.generation,
            },
            BusEvent::TokenVoid { .. } | BusEvent::AccountSuspended { .. } => return None,
            BusEvent::UnreadChanged { user, conversation } => {
                Self::UnreadChanged { user: user.clone(), conversation: Place::from(&**conversation) }
            }
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
        assert_eq!((place.conversation(), seq, positions, sender), (conversation, 3, [4, 9], id("ann")));
        assert_eq!((json.get(), notification.get()), (&*message.json, &*message.notification));
    }

    #[test]
    fn names_on_the_wire_stay_as_nodes_of_earlier_versions_know_them() {
        let envelope = Envelope { node: "n".into(), number: 1, event: WireEvent::EventsLost };
        let text = serde_json::to_string(&envelope).unwrap();
        assert_eq!(text, r#"{"node":"n","number":1,"news":"unheard"}"#);
    }
}
