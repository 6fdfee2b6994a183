//! The body of an event. It is made when the event is sent, so it holds no text that was edited, deleted or erased by
//! then (`docs/webhooks.md`).

use serde::Serialize;

use crate::chat::{Chat, view};
use crate::contract::{Conversation, Message, Report};
use crate::id::Id;
use crate::store::{self, EventKind, OutboxEvent, OutboxSubject, Store, StoreError, SubjectQuery};
use crate::timestamp::Timestamp;

#[derive(Serialize)]
struct Body<T> {
    r#type: &'static str,
    timestamp: Timestamp,
    data: T,
}

#[derive(Serialize)]
struct Recipient<'a> {
    #[serde(rename = "_id")]
    id: &'a Id,
    online: bool,
    unread_count: u64,
}

#[derive(Serialize)]
struct MessageData<'a> {
    message: Message<'a>,
    conversation: Conversation<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<&'a Recipient<'a>>,
    /// Of a message of the platform, which has two.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipients: Option<&'a [Recipient<'a>]>,
}

#[derive(Serialize)]
struct ConversationData<'a> {
    conversation: Conversation<'a>,
}

#[derive(Serialize)]
struct ReportData<'a> {
    report: Report<'a>,
    message: Message<'a>,
    conversation: Conversation<'a>,
}

#[derive(Serialize)]
struct BlockData<'a> {
    blocker: &'a str,
    blocked: &'a str,
}

/// What has to be read of an event; `None` if it says all by itself.
pub(super) fn query(event: &OutboxEvent) -> Option<SubjectQuery> {
    let viewer = match event.kind {
        EventKind::MessageUnseen => event.detail.as_deref().and_then(|id| Id::parse(id).ok()),
        EventKind::UserBlocked | EventKind::UserUnblocked => return None,
        _ => None,
    };
    Some(SubjectQuery { conversation: event.lane, seq: event.seq, viewer })
}

/// The body of an event about `subject`; `None` if what it is about is gone.
pub(super) async fn body(
    chat: &Chat,
    store: &dyn Store,
    event: &OutboxEvent,
    subject: Option<&OutboxSubject>,
) -> Result<Option<String>, StoreError> {
    if let EventKind::UserBlocked | EventKind::UserUnblocked = event.kind {
        let users = event.detail.as_deref().and_then(|users| users.split_once(' '));
        return Ok(users.map(|(blocker, blocked)| encode(event, BlockData { blocker, blocked })));
    }
    let Some(OutboxSubject { conversation, message }) = subject else { return Ok(None) };
    let online = chat.online_in(std::slice::from_ref(conversation)).await;
    let participants = &conversation.conversation.participants;
    let recipients: Vec<&Id> = match (&event.detail, message) {
        (Some(recipient), _) if event.kind == EventKind::MessageUnseen => {
            participants.iter().filter(|id| id.as_str() == recipient).collect()
        }
        (_, Some(message)) => participants.iter().filter(|id| **id != message.sender).collect(),
        _ => Vec::new(),
    };
    let viewer = recipients.first().copied().unwrap_or(&participants[0]);
    let shown = view::conversation(conversation, viewer, |id| online.contains(id));
    if event.kind == EventKind::ConversationCreated {
        return Ok(Some(encode(event, ConversationData { conversation: shown })));
    }
    let Some(message) = message else { return Ok(None) };
    let profile_of = |user: &Id| {
        let side = participants.iter().position(|participant| participant == user);
        side.and_then(|side| conversation.profiles[side].as_ref())
    };
    let platform = match &message.sender {
        sender if *sender == Id::SYSTEM => chat.profile(sender).await.ok().flatten(),
        _ => None,
    };
    let sender = platform.as_deref().or_else(|| profile_of(&message.sender));
    let shown_message = view::message(&conversation.conversation, sender, message);
    if event.kind == EventKind::ReportCreated {
        let Some(report) = report(store, event).await? else { return Ok(None) };
        let [reporter, sender] = [&report.reporter, &report.sender].map(profile_of);
        let no_profiles = [None, None, None];
        let report = view::report(&report, reporter, sender, None, &no_profiles);
        return Ok(Some(encode(event, ReportData { report, message: shown_message, conversation: shown })));
    }
    let mut all = Vec::new();
    for id in recipients {
        let unread_count = match event.unread {
            Some(count) => count,
            None => store.unread_count(id).await?,
        };
        all.push(Recipient { id, online: online.contains(id), unread_count });
    }
    let is_of_both = all.len() > 1;
    Ok(Some(encode(
        event,
        MessageData {
            message: shown_message,
            conversation: shown,
            recipient: all.first().filter(|_| !is_of_both),
            recipients: is_of_both.then_some(&all),
        },
    )))
}

async fn report(store: &dyn Store, event: &OutboxEvent) -> Result<Option<store::Report>, StoreError> {
    match event.detail.as_deref().and_then(|id| Id::parse(id).ok()) {
        Some(id) => store.report_with_id(&id).await,
        None => Ok(None),
    }
}

fn encode(event: &OutboxEvent, data: impl Serialize) -> String {
    crate::json::encode(&Body { r#type: event.kind.name(), timestamp: event.at, data })
}
