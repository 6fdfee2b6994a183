//! The JSON of conversations, messages and profiles, as clients see it.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::Serializer;

use crate::id::Id;
use crate::store::{Conversation, ConversationSummary, LastMessage, Message, Profile};
use crate::timestamp::Timestamp;

/// A message as JSON: the same bytes in `new_message`, in the acknowledgement and over HTTP.
pub type MessageJson = Arc<str>;

/// A profile; `profile_picture_url` is left out if there is none, `full_name` is null.
#[derive(Debug, Serialize)]
pub struct ProfileView<'a> {
    #[serde(rename = "_id")]
    id: &'a Id,
    full_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_picture_url: Option<&'a str>,
}

impl<'a> ProfileView<'a> {
    /// What is shown of `id`, who may have no profile here.
    pub fn new(id: &'a Id, profile: Option<&'a Profile>) -> Self {
        Self {
            id,
            full_name: profile.and_then(|profile| profile.full_name.as_deref()),
            profile_picture_url: profile.and_then(|profile| profile.profile_picture_url.as_deref()),
        }
    }
}

/// A message.
#[derive(Debug, Serialize)]
pub struct MessageView<'a> {
    #[serde(rename = "_id")]
    id: &'a Id,
    conversation_id: &'a Id,
    sender_id: ProfileView<'a>,
    text: &'a str,
    is_read: bool,
    sent_at: Timestamp,
    seq: i64,
}

impl<'a> MessageView<'a> {
    /// What is shown of `message`.
    pub fn new(conversation: &'a Conversation, sender: Option<&'a Profile>, message: &'a Message) -> Self {
        Self {
            id: &message.id,
            conversation_id: &conversation.id,
            sender_id: ProfileView::new(&message.sender, sender),
            text: &message.text,
            is_read: message.is_read,
            sent_at: message.sent_at,
            seq: message.seq,
        }
    }

    /// The view as JSON.
    pub fn to_json(&self) -> MessageJson {
        serde_json::to_string(self).expect("strings, numbers and booleans always serialize").into()
    }
}

/// A conversation in a list.
#[derive(Debug)]
pub struct ConversationView<'a>(pub &'a ConversationSummary);

impl Serialize for ConversationView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            #[serde(rename = "_id")]
            id: &'a Id,
            participants: [ProfileView<'a>; 2],
            #[serde(skip_serializing_if = "Option::is_none")]
            horse_id: Option<&'a Id>,
            last_message: Option<&'a LastMessage>,
            unread_count: u64,
            created_at: Timestamp,
            updated_at: Timestamp,
        }
        let summary = self.0;
        let [first, second] = &summary.conversation.participants;
        Fields {
            id: &summary.conversation.id,
            participants: [
                ProfileView::new(first, summary.profiles[0].as_ref()),
                ProfileView::new(second, summary.profiles[1].as_ref()),
            ],
            horse_id: summary.conversation.horse_id.as_ref(),
            last_message: summary.last_message.as_ref(),
            unread_count: summary.unread_count,
            created_at: summary.conversation.created_at,
            updated_at: summary.updated_at,
        }
        .serialize(serializer)
    }
}

/// The argument of `message_notification`.
pub fn notification(conversation: &Id, sender: &Id, text: &str) -> String {
    #[derive(Serialize)]
    struct Notification<'a> {
        conversation_id: &'a Id,
        sender: &'a Id,
        preview: &'a str,
    }
    let notification =
        Notification { conversation_id: conversation, sender, preview: super::text::preview(text) };
    serde_json::to_string(&notification).expect("strings always serialize")
}
