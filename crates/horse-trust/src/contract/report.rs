//! Complaints about messages, and the texts that admins see in a dispute.

use serde::Serialize;
use serde_json::value::RawValue;

use super::arguments::Fields;
use super::people::Profile;
use super::refusal::Refusal;
#[cfg(test)]
use super::{schema, text};
use crate::id::Id;
use crate::timestamp::Timestamp;

/// The greatest length of a reason, in characters.
const MAX_REASON: usize = 1000;

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

/// What `report_message` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reported<'a> {
    /// The report; of a repeat the first one.
    pub report_id: &'a Id,
}

/// A complaint, for admins.
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
