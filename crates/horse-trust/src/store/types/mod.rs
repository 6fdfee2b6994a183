//! What the store keeps and hands out.

mod accounts;
mod conversations;
mod delivery;
mod messages;
mod moderation;
mod page;

pub use self::accounts::{Profile, Role, User};
pub use self::conversations::{Conversation, ConversationSummary, LastMessage, NewConversation, Side};
pub use self::delivery::{Delivered, Ends, MarkRead, Missed, MissedMessage, Read, Unread};
pub use self::messages::{Change, Changed, History, Message, NewMessage, Quote, Range, Stored};
pub use self::moderation::{NewReport, Report, Withdrawn};
pub use self::page::Page;

pub(in crate::store) use self::page::integer;
