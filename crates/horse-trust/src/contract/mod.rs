//! What clients send and get: every payload, acknowledgement and refusal, and the one place of each of their fields.
//!
//! One file a topic, with what comes in beside what goes out. The TypeScript declarations in `packages/events` and the
//! schemas in `docs/api` are made from these types and their comments (`make contract`). It imports nothing but ids, times
//! and JSON; `chat::view` fills what goes out from what the store keeps.

mod answer;
mod arguments;
mod audit;
mod client_event;
#[cfg(test)]
mod composed;
mod connection;
mod conversation;
mod custom;
mod error;
mod export;
#[cfg(test)]
mod generate;
mod history;
mod listing;
mod message;
mod people;
pub mod person;
mod refusal;
mod report;
#[cfg(test)]
mod schema;
mod server_event;
pub mod text;
mod webhook;

pub use self::answer::{DONE, refused, success};
pub use self::audit::{AuditActor, AuditEntry};
pub use self::client_event::ClientEvent;
pub use self::connection::{Auth, RefreshToken, Refreshed, RetryAfter, TokenExpiring, refusals};
pub use self::conversation::{
    CONVERSATION_UPDATED, Conversation, ConversationName, ParticipantState, UpdateConversation, UserTyping,
};
pub use self::custom::{Custom, InvalidCustom};
pub use self::error::{Error, FieldError, malformed};
pub use self::export::{
    ExportLine, ExportedBlock, ExportedConversation, ExportedReport, ExportedReportedMessage, ExportedText,
    ExportedUser,
};
pub use self::history::{
    FetchMessages, MarkRead, Marked, MessageDelivered, MessagesRead, Resync, ResyncConversation, UnreadCount,
    fetched,
};
pub use self::listing::{Listing, ListingChange};
pub use self::message::{
    Draft, EditMessage, LastMessage, MESSAGE_UPDATED, Message, MessageDeleted, MessageJson, MessageName,
    MessageNotification, NEW_MESSAGE, PlatformMessage, Quote, SYSTEM, SendMessage,
};
pub use self::people::{Account, BlockedUser, Presence, Profile, Suspension, UserName};
pub use self::person::Person;
pub use self::refusal::Refusal;
pub use self::report::{DecideReport, REACH, Report, ReportMessage, Reported, ReportedMessage, Withdrawn};
pub use self::server_event::ServerEvent;
pub use self::webhook::GivenUpWebhook;
