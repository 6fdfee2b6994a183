//! What the store keeps, as clients see it: the one place where a row becomes a payload of the contract.

use std::sync::Arc;

use crate::contract::{
    Account, AuditActor, Conversation, LastMessage, Marked, Message, MessageNotification, ParticipantState,
    Profile, Quote, Report, ReportedMessage, SYSTEM, Suspension, UnreadCount, Withdrawn, text,
};
use crate::id::Id;
use crate::store;

/// What is shown of `id`, who may have no profile here.
pub fn profile<'a>(id: &'a Id, profile: Option<&'a store::Profile>) -> Profile<'a> {
    Profile {
        id,
        full_name: profile.and_then(|profile| profile.full_name.as_deref()),
        profile_picture_url: profile.and_then(|profile| profile.profile_picture_url.as_deref()),
        is_deleted: profile.is_some_and(|profile| profile.is_deleted),
    }
}

/// An account as its owner sees it.
pub fn account(user: &store::User) -> Account<'_> {
    Account {
        id: &user.profile.id,
        email: user.email.as_deref(),
        full_name: user.profile.full_name.as_deref(),
        role: user.role.name(),
        phone: user.phone.as_deref(),
        profile_picture_url: user.profile.profile_picture_url.as_deref(),
    }
}

/// What is shown of `message`.
pub fn message<'a>(
    conversation: &'a store::Conversation,
    sender: Option<&'a store::Profile>,
    message: &'a store::Message,
) -> Message<'a> {
    Message {
        id: &message.id,
        conversation_id: &conversation.id,
        kind: kind(&message.sender),
        sender_id: profile(&message.sender, sender),
        text: &message.text,
        is_read: message.is_read,
        sent_at: message.sent_at,
        seq: message.seq,
        client_id: message.client_id.as_deref(),
        reply_to: message.reply_to.as_ref().map(quote),
        custom: message.extras.as_ref().and_then(|extras| extras.custom.as_ref()),
        edited_at: message.edited_at,
        deleted_at: message.deleted_at,
    }
}

/// The `type` of what this sender writes.
fn kind(sender: &Id) -> Option<&'static str> {
    (*sender == Id::SYSTEM).then_some(SYSTEM)
}

fn quote(quoted: &store::Quote) -> Quote<'_> {
    let text = text::quote(&quoted.text);
    Quote { id: &quoted.id, seq: quoted.seq, sender_id: &quoted.sender, text }
}

/// What the other's devices are shown of a message.
pub fn notification<'a>(
    conversation: &'a store::Conversation,
    message: &'a store::Message,
) -> MessageNotification<'a> {
    let preview = text::preview(&message.text);
    MessageNotification { conversation_id: &conversation.id, sender: &message.sender, preview }
}

/// What `user` is shown of a conversation in a list.
pub fn conversation<'a>(
    summary: &'a store::ConversationSummary,
    user: &Id,
    is_online: impl Fn(&Id) -> bool,
) -> Conversation<'a> {
    let participants = &summary.conversation.participants;
    let own_side = usize::from(participants[0] != *user);
    let [blocked_by_me, blocked_by_other] =
        [own_side, 1 - own_side].map(|side| summary.sides[side].has_blocked);
    let settings = summary.sides[own_side].settings;
    let profile = |index: usize| profile(&participants[index], summary.profiles[index].as_ref());
    let state = |index: usize| {
        let (id, side) = (&participants[index], &summary.sides[index]);
        // Of one another nothing is shown while a block stands, nor to a stranger who has only opened a conversation.
        let is_hidden = index != own_side && (blocked_by_me || blocked_by_other || !summary.is_mutual);
        let online = !is_hidden && is_online(id);
        ParticipantState {
            user_id: id,
            online,
            last_seen: side.last_seen.filter(|_| !online && !is_hidden),
            read_seq: side.read_seq,
            delivered_seq: side.delivered_seq,
        }
    };
    Conversation {
        id: &summary.conversation.id,
        participants: [profile(0), profile(1)],
        participant_states: [state(0), state(1)],
        horse_id: summary.conversation.horse_id.as_ref(),
        listing: summary.listing.as_deref(),
        last_message: summary.last_message.as_ref().map(last_message),
        unread_count: summary.unread_count,
        last_seq: summary.last_seq,
        archived: settings.is_archived,
        muted: settings.is_muted,
        pinned: settings.is_pinned,
        blocked_by_me,
        blocked_by_other,
        created_at: summary.conversation.created_at,
        updated_at: summary.updated_at,
    }
}

fn last_message(message: &store::LastMessage) -> LastMessage<'_> {
    LastMessage {
        kind: kind(&message.sender_id),
        text: &message.text,
        sender_id: &message.sender_id,
        sent_at: message.sent_at,
        is_read: message.is_read,
    }
}

/// How far a user has read.
pub fn marked(read: &store::Read) -> Marked {
    Marked {
        up_to_seq: read.up_to_seq,
        unread_count: read.unread.total,
        conversation_unread_count: read.unread.conversation,
    }
}

/// How much a user has not read.
pub fn unread_count(conversation: &Id, unread: store::Unread) -> UnreadCount<'_> {
    UnreadCount {
        unread_count: unread.total,
        conversation_id: conversation,
        conversation_unread_count: unread.conversation,
    }
}

/// Until when an account is suspended, and why.
pub fn suspension(suspension: &store::Suspension) -> Suspension<'_> {
    Suspension { until: suspension.until, reason: suspension.reason.as_deref() }
}

/// Who changed something over the admin API.
pub fn actor(actor: &store::Actor) -> AuditActor<'_> {
    match actor {
        store::Actor::Key(number) => AuditActor { key: Some(*number), user_id: None },
        store::Actor::User(id) => AuditActor { key: None, user_id: Some(id) },
    }
}

/// A report, for admins, with the messages around what is reported; `profiles` are those of the two who
/// talk there, and of the platform.
pub fn report<'a>(
    report: &'a store::Report,
    reporter: Option<&'a store::Profile>,
    sender: Option<&'a store::Profile>,
    surroundings: Option<&'a store::Surroundings>,
    profiles: &'a [Option<Arc<store::Profile>>; 3],
) -> Report<'a> {
    let shown = |is_shown: fn(i64, i64) -> bool| {
        let (conversation, messages) = surroundings?;
        let messages = messages.iter().filter(|message| is_shown(message.seq, report.seq));
        let profile_of = |id: &Id| profiles[conversation.side_of(id).unwrap_or(2)].as_deref();
        Some(messages.map(|one| message(conversation, profile_of(&one.sender), one)).collect())
    };
    let now = surroundings.and_then(|(_, messages)| messages.iter().find(|one| one.seq == report.seq));
    Report {
        id: &report.id,
        reason: &report.reason,
        reported_at: report.reported_at,
        reporter: profile(&report.reporter, reporter),
        message: ReportedMessage {
            id: &report.message_id,
            conversation_id: &report.conversation_id,
            sender_id: profile(&report.sender, sender),
            text: &report.text,
            sent_at: report.sent_at,
            seq: report.seq,
            edited_at: now.and_then(|message| message.edited_at),
            deleted_at: now.and_then(|message| message.deleted_at),
        },
        state: report.state.name(),
        note: report.note.as_deref(),
        decided_at: report.decided_at,
        decided_by: report.decided_by.as_ref().map(actor),
        before: shown(|seq, reported| seq < reported).unwrap_or_default(),
        after: shown(|seq, reported| seq > reported).unwrap_or_default(),
    }
}

/// A text that is gone, for admins.
pub fn withdrawn<'a>(text: &'a store::Withdrawn, sender: Option<&'a store::Profile>) -> Withdrawn<'a> {
    Withdrawn {
        message_id: &text.message_id,
        conversation_id: &text.conversation_id,
        sender_id: profile(&text.sender, sender),
        seq: text.seq,
        text: &text.text,
        withdrawn_at: text.withdrawn_at,
        kind: if text.is_deleted { "deleted" } else { "edited" },
    }
}
