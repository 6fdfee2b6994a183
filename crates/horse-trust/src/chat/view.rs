//! The JSON of conversations, messages and profiles, as clients see it.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::Serializer;

use crate::id::Id;
use crate::store::{
    Conversation, ConversationSummary, LastMessage, Message, Profile, Read, Report, Suspension, Unread,
    Withdrawn,
};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
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
            client_id: message.client_id.as_deref(),
            edited_at: message.edited_at,
            deleted_at: message.deleted_at,
        }
    }

    /// The view as JSON.
    pub fn to_json(&self) -> MessageJson {
        serde_json::to_string(self).expect("strings, numbers and booleans always serialize").into()
    }
}

/// What is known of one of the two in a list of conversations.
#[derive(Debug, Serialize)]
struct StateView<'a> {
    user_id: &'a Id,
    online: bool,
    last_seen: Option<Timestamp>,
    read_seq: i64,
    delivered_seq: i64,
}

/// A conversation in the list of a user.
#[derive(Debug, Serialize)]
pub struct ConversationView<'a> {
    #[serde(rename = "_id")]
    id: &'a Id,
    participants: [ProfileView<'a>; 2],
    participant_states: [StateView<'a>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    horse_id: Option<&'a Id>,
    last_message: Option<&'a LastMessage>,
    unread_count: u64,
    last_seq: i64,
    blocked_by_me: bool,
    blocked_by_other: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl<'a> ConversationView<'a> {
    /// What `user` is shown of a conversation.
    pub fn new(summary: &'a ConversationSummary, user: &Id, is_online: impl Fn(&Id) -> bool) -> Self {
        let own_side = usize::from(summary.conversation.participants[0] != *user);
        let [blocked_by_me, blocked_by_other] =
            [own_side, 1 - own_side].map(|side| summary.sides[side].has_blocked);
        let profile = |index: usize| {
            let id = &summary.conversation.participants[index];
            ProfileView::new(id, summary.profiles[index].as_ref())
        };
        let state = |index: usize| {
            let id = &summary.conversation.participants[index];
            let side = &summary.sides[index];
            // Of one another nothing is shown while a block stands, nor to a stranger who has only opened a conversation.
            let is_hidden = index != own_side && (blocked_by_me || blocked_by_other || !summary.is_mutual);
            let online = !is_hidden && is_online(id);
            StateView {
                user_id: id,
                online,
                last_seen: side.last_seen.filter(|_| !online && !is_hidden),
                read_seq: side.read_seq,
                delivered_seq: side.delivered_seq,
            }
        };
        Self {
            id: &summary.conversation.id,
            participants: [profile(0), profile(1)],
            participant_states: [state(0), state(1)],
            horse_id: summary.conversation.horse_id.as_ref(),
            last_message: summary.last_message.as_ref(),
            unread_count: summary.unread_count,
            last_seq: summary.last_seq,
            blocked_by_me,
            blocked_by_other,
            created_at: summary.conversation.created_at,
            updated_at: summary.updated_at,
        }
    }
}

/// Any of the views as JSON.
pub(super) fn json(view: impl Serialize) -> serde_json::Value {
    serde_json::to_value(view).expect("strings, numbers and booleans always serialize")
}

/// The argument of `presence`.
#[derive(Debug, Serialize)]
pub struct PresenceView<'a> {
    user_id: &'a Id,
    online: bool,
    last_seen: Option<Timestamp>,
}

impl<'a> PresenceView<'a> {
    /// What the others are shown of `user`.
    pub fn new(user: &'a Id, online: bool, last_seen: Option<Timestamp>) -> Self {
        Self { user_id: user, online, last_seen }
    }

    /// The view as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and booleans always serialize")
    }
}

/// A complaint, for admins.
#[derive(Debug)]
pub(super) struct ReportView<'a> {
    pub(super) report: &'a Report,
    pub(super) reporter: ProfileView<'a>,
    pub(super) sender: ProfileView<'a>,
}

impl Serialize for ReportView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.report;
        serde_json::json!({
            "_id": report.id,
            "reason": report.reason,
            "reported_at": report.reported_at,
            "reporter": self.reporter,
            "message": {
                "_id": report.message_id,
                "conversation_id": report.conversation_id,
                "sender_id": self.sender,
                "text": report.text,
                "sent_at": report.sent_at,
                "seq": report.seq,
            },
        })
        .serialize(serializer)
    }
}

/// A text that is gone, for admins.
#[derive(Debug)]
pub(super) struct WithdrawnView<'a> {
    pub(super) text: &'a Withdrawn,
    pub(super) sender: ProfileView<'a>,
}

impl Serialize for WithdrawnView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text;
        serde_json::json!({
            "message_id": text.message_id,
            "conversation_id": text.conversation_id,
            "sender_id": self.sender,
            "seq": text.seq,
            "text": text.text,
            "withdrawn_at": text.withdrawn_at,
            "kind": if text.is_deleted { "deleted" } else { "edited" },
        })
        .serialize(serializer)
    }
}

// The arguments of small events. Ids and times hold nothing that JSON would escape.

/// The argument of `user_typing` and `user_stop_typing`.
pub(super) fn typing(user: &Id, conversation: &Id) -> String {
    format!(r#"{{"userId":"{user}","conversation_id":"{conversation}"}}"#)
}

/// The argument of `messages_read`.
pub(super) fn messages_read(conversation: &Id, reader: &Id, up_to_seq: i64, at: Timestamp) -> String {
    format!(
        r#"{{"conversation_id":"{conversation}","reader":"{reader}","up_to_seq":{up_to_seq},"read_at":"{at}"}}"#
    )
}

/// How far a user has read, as the answer to `mark_read` has it.
pub fn read(read: &Read) -> String {
    format!(
        r#"{{"up_to_seq":{},"unread_count":{},"conversation_unread_count":{}}}"#,
        read.up_to_seq, read.unread.total, read.unread.conversation
    )
}

/// The argument of `message_delivered`.
pub(super) fn message_delivered(conversation: &Id, recipient: &Id, up_to_seq: i64, at: Timestamp) -> String {
    format!(
        r#"{{"conversation_id":"{conversation}","recipient":"{recipient}","up_to_seq":{up_to_seq},"delivered_at":"{at}"}}"#
    )
}

/// The argument of `unread_count`.
pub(super) fn unread_count(conversation: &Id, unread: Unread) -> String {
    format!(
        r#"{{"unread_count":{},"conversation_id":"{conversation}","conversation_unread_count":{}}}"#,
        unread.total, unread.conversation
    )
}

/// The argument of `message_deleted`.
pub(super) fn deleted(conversation: &Id, message: &Message, at: Timestamp) -> String {
    format!(
        r#"{{"message_id":"{}","conversation_id":"{conversation}","seq":{},"deleted_at":"{at}"}}"#,
        message.id, message.seq
    )
}

/// The argument of `user_blocked` and `user_unblocked`.
pub(super) fn user(user: &Id) -> String {
    format!(r#"{{"user_id":"{user}"}}"#)
}

/// The argument of `resync`.
pub(super) fn resync(conversations: &[(Id, i64)]) -> String {
    let conversations: Vec<_> = conversations
        .iter()
        .map(|(id, last_seq)| format!(r#"{{"conversation_id":"{id}","last_seq":{last_seq}}}"#))
        .collect();
    format!(r#"{{"conversations":[{}]}}"#, conversations.join(","))
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

/// Until when an account is suspended and why, as JSON; null where there is nothing to say.
pub fn suspension(suspension: &Suspension) -> String {
    serde_json::json!({"until": suspension.until, "reason": suspension.reason}).to_string()
}
