//! What the store keeps, as the admin API shows it.

use crate::chat;
use crate::chat::view::actor;
use crate::contract::{
    AuditActor, AuditEntry, ExportedBlock, ExportedConversation, ExportedReport, ExportedReportedMessage,
    ExportedText, ExportedUser, Person,
};
use crate::store;
use crate::timestamp::Timestamp;

/// A change that was noted.
pub fn audit_entry(entry: &store::AuditEntry) -> AuditEntry<'_> {
    let details = entry.details.as_deref().and_then(|details| serde_json::from_str(details).ok());
    AuditEntry {
        id: entry.number.to_string(),
        at: entry.at,
        by: entry.actor.as_ref().map_or(AuditActor { key: None, user_id: None }, actor),
        action: &entry.action,
        target: entry.target.as_ref(),
        details,
    }
}

/// An account.
pub fn person(person: &store::Person) -> Person<'_> {
    let user = &person.user;
    Person {
        id: &user.profile.id,
        full_name: user.profile.full_name.as_deref(),
        profile_picture_url: user.profile.profile_picture_url.as_deref(),
        email: user.email.as_deref(),
        phone: user.phone.as_deref(),
        role: user.role.name(),
        is_active: user.is_active,
        created_at: user.created_at,
        suspension: person.suspension.as_ref().map(chat::view::suspension),
        is_deleted: user.profile.is_deleted,
    }
}

/// An account in an export.
pub(super) fn exported_user(person: &store::Person, last_seen: Option<Timestamp>) -> ExportedUser<'_> {
    ExportedUser { person: self::person(person), last_seen }
}

/// A block in an export.
pub(super) fn exported_block(block: &store::Block) -> ExportedBlock<'_> {
    ExportedBlock { user_id: &block.user, created_at: block.created_at }
}

/// A conversation in an export of the participant on this side.
pub(super) fn exported_conversation(
    summary: &store::ConversationSummary,
    side: usize,
) -> ExportedConversation<'_> {
    let conversation = &summary.conversation;
    let own = &summary.sides[side];
    let profile = |index: usize| {
        chat::view::profile(&conversation.participants[index], summary.profiles[index].as_ref())
    };
    ExportedConversation {
        id: &conversation.id,
        participants: [profile(0), profile(1)],
        horse_id: conversation.horse_id.as_ref(),
        created_at: conversation.created_at,
        updated_at: summary.updated_at,
        last_seq: summary.last_seq,
        read_seq: own.read_seq,
        delivered_seq: own.delivered_seq,
        unread_count: summary.unread_count,
        archived: own.settings.is_archived,
        muted: own.settings.is_muted,
        pinned: own.settings.is_pinned,
    }
}

/// A text in an export.
pub(super) fn exported_text(text: &store::Withdrawn) -> ExportedText<'_> {
    ExportedText {
        message_id: &text.message_id,
        conversation_id: &text.conversation_id,
        seq: text.seq,
        text: &text.text,
        withdrawn_at: text.withdrawn_at,
        change: if text.is_deleted { "deleted" } else { "edited" },
    }
}

/// A report in the export of who made it.
pub(super) fn exported_report(report: &store::Report) -> ExportedReport<'_> {
    ExportedReport {
        id: &report.id,
        reason: &report.reason,
        reported_at: report.reported_at,
        state: report.state.name(),
        message_id: &report.message_id,
        conversation_id: &report.conversation_id,
    }
}

/// A report in the export of who wrote the message.
pub(super) fn exported_reported(report: &store::Report) -> ExportedReportedMessage<'_> {
    ExportedReportedMessage {
        message_id: &report.message_id,
        conversation_id: &report.conversation_id,
        seq: report.seq,
        text: &report.text,
        sent_at: report.sent_at,
        reported_at: report.reported_at,
        state: report.state.name(),
    }
}
