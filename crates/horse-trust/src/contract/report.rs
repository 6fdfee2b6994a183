//! Reports of messages, and the texts that admins see in a dispute.

use serde::Serialize;
use serde_json::value::RawValue;

use super::arguments::Fields;
use super::audit::AuditActor;
use super::message::Message;
use super::people::Profile;
use super::refusal::Refusal;
#[cfg(test)]
use super::{schema, text};
use crate::id::Id;
use crate::timestamp::Timestamp;

/// The greatest length of a reason, in characters.
const MAX_REASON: usize = 1000;
/// The greatest length of a note, in characters.
const MAX_NOTE: usize = 1000;
/// How many messages before and after a reported one an admin sees.
pub const REACH: u32 = 10;

/// The payload of `report_message`.
#[derive(Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportMessage {
    /// The message.
    #[cfg_attr(test, schemars(with = "Id"))]
    pub message_id: String,
    /// 1 to 1000 characters, not white space alone.
    #[cfg_attr(test, schemars(length(min = 1, max = MAX_REASON)))]
    pub reason: String,
}

impl ReportMessage {
    /// Takes the fields of an object; a reason that is missing is empty.
    pub fn parse(arguments: &[&RawValue]) -> Result<Self, Refusal> {
        let fields = Fields::parse(arguments)?;
        let message_id = fields.required_text("message_id")?;
        Ok(Self { message_id, reason: fields.text("reason")?.unwrap_or_default() })
    }

    /// The reason without the white space around it, if it is one.
    pub fn check(reason: &str) -> Result<&str, Refusal> {
        let reason = reason.trim();
        let is_reason = !reason.is_empty() && reason.chars().count() <= MAX_REASON && !reason.contains('\0');
        if is_reason { Ok(reason) } else { Err(Refusal::ReasonRequired) }
    }
}

/// An admin's decision on a report.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DecideReport {
    /// What becomes of it.
    #[cfg_attr(test, schemars(with = "schema::ReportState"))]
    pub state: String,
    /// At most 1000 characters. Null, or white space alone, takes the note away; a note that is not named stays.
    #[cfg_attr(test, schemars(length(max = MAX_NOTE)))]
    pub note: Option<String>,
}

impl DecideReport {
    /// The note without the white space around it, `None` if nothing is left; an error says what is wrong with it.
    pub fn check_note(note: &str) -> Result<Option<&str>, &'static str> {
        let note = note.trim();
        if note.chars().count() > MAX_NOTE || note.contains('\0') {
            return Err("note must have at most 1000 characters, and no U+0000");
        }
        Ok(Some(note).filter(|note| !note.is_empty()))
    }
}

/// What `report_message` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reported<'a> {
    /// The report; of a repeat the first one.
    pub report_id: &'a Id,
}

/// A report, for admins.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report<'a> {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// Of what the reporter complains.
    #[cfg_attr(test, schemars(length(min = 1, max = MAX_REASON)))]
    pub reason: &'a str,
    /// When.
    pub reported_at: Timestamp,
    /// Who complains.
    pub reporter: Profile<'a>,
    /// The message as it was when it was reported.
    pub message: ReportedMessage<'a>,
    /// What became of it.
    #[cfg_attr(test, schemars(with = "schema::ReportState"))]
    pub state: &'a str,
    /// The note of whoever decided last; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1, max = MAX_NOTE)))]
    pub note: Option<&'a str>,
    /// When an admin or a key last decided on it; left out until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// Who that was; left out until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<AuditActor<'a>>,
    /// The messages before it, ten at most, oldest first, as they now are.
    #[cfg_attr(test, schemars(length(max = REACH)))]
    pub before: Vec<Message<'a>>,
    /// The messages after it, in the same way.
    #[cfg_attr(test, schemars(length(max = REACH)))]
    pub after: Vec<Message<'a>>,
}

/// A message as it was when it was reported.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportedMessage<'a> {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// Its conversation.
    pub conversation_id: &'a Id,
    /// Who wrote it.
    pub sender_id: Profile<'a>,
    /// What it said.
    #[cfg_attr(test, schemars(length(max = text::MAX_TEXT_UNITS)))]
    pub text: &'a str,
    /// When it was stored.
    pub sent_at: Timestamp,
    /// Its place in the conversation.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub seq: i64,
    /// When its text was last edited, before or after the report; left out until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// When it was deleted; left out until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// A text that was edited away or deleted, for admins.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Withdrawn<'a> {
    /// The message.
    pub message_id: &'a Id,
    /// Its conversation.
    pub conversation_id: &'a Id,
    /// Who wrote it.
    pub sender_id: Profile<'a>,
    /// Its place in the conversation.
    #[cfg_attr(test, schemars(with = "schema::Seq"))]
    pub seq: i64,
    /// What it said.
    #[cfg_attr(test, schemars(length(max = text::MAX_TEXT_UNITS)))]
    pub text: &'a str,
    /// When the text went.
    pub withdrawn_at: Timestamp,
    /// Whether the message was edited or deleted.
    #[cfg_attr(test, schemars(with = "schema::Withdrawal"))]
    pub kind: &'a str,
}
