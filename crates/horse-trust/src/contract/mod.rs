//! What clients send and get: every payload, acknowledgement and refusal, and the one place of each of their fields.
//!
//! One file a topic, with what comes in beside what goes out. It imports nothing but ids, times and JSON; `chat::view`
//! fills what goes out from what the store keeps.

mod answer;
mod arguments;
mod client_event;
mod connection;
mod conversation;
mod history;
mod message;
mod people;
mod refusal;
mod report;
#[cfg(test)]
#[allow(dead_code, reason = "what generates the documents comes next")]
mod schema;
mod server_event;
pub mod text;

pub use self::answer::{DONE, refused, success};
pub use self::client_event::ClientEvent;
pub use self::connection::{Auth, RefreshToken, Refreshed, RetryAfter, TokenExpiring, refusals};
pub use self::conversation::{Conversation, ConversationName, ParticipantState, UserTyping};
pub use self::history::{
    FetchMessages, MarkRead, Marked, MessageDelivered, MessagesRead, Resync, ResyncConversation, UnreadCount,
    fetched,
};
pub use self::message::{
    Draft, EditMessage, LastMessage, MESSAGE_UPDATED, Message, MessageDeleted, MessageJson, MessageName,
    MessageNotification, NEW_MESSAGE, SendMessage,
};
pub use self::people::{Account, Presence, Profile, Suspension, User, UserName};
pub use self::refusal::Refusal;
pub use self::report::{Report, ReportMessage, Reported, ReportedMessage, Withdrawn};
pub use self::server_event::ServerEvent;
