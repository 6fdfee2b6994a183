//! The events to clients: of each its name and its argument.

#[cfg(test)]
use super::composed::EventSchema;
use super::connection::TokenExpiring;
use super::conversation::{CONVERSATION_UPDATED, Conversation, UserTyping};
use super::history::{MessageDelivered, MessagesRead, Resync, UnreadCount};
use super::message::{MESSAGE_UPDATED, Message, MessageDeleted, MessageNotification, NEW_MESSAGE};
use super::people::{BlockedUser, Presence, Profile, Suspension};
use crate::json;

/// Makes the enum of the server's events: of each its argument and its name.
macro_rules! server_events {
    ($($(#[doc = $doc:literal])+ $event:ident($argument:ty) = $name:expr,)*) => {
        /// An event to clients, with its argument.
        #[derive(Debug)]
        pub enum ServerEvent<'a> {
            $($(#[doc = $doc])+ $event($argument),)*
        }

        impl ServerEvent<'_> {
            /// The event's name.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$event(_) => $name,)*
                }
            }

            /// The event's argument as JSON.
            pub fn argument(&self) -> String {
                match self {
                    $(Self::$event(argument) => json::encode(argument),)*
                }
            }
        }

        #[cfg(test)]
        impl<'a> ServerEvent<'a> {
            /// Every event, with the schema of its argument.
            pub(super) fn schemas(arguments: &mut schemars::SchemaGenerator) -> Vec<EventSchema> {
                vec![$(EventSchema {
                    name: $name,
                    description: [$($doc),+].concat(),
                    payload: arguments.subschema_for::<$argument>(),
                    answer: None,
                }),*]
            }
        }
    };
}

server_events! {
    /// A message in a joined conversation (with `auth.serverOffset`: in any), the user's own included.
    NewMessage(Message<'a>) = NEW_MESSAGE,
    /// Somebody wrote to the user; comes to all of the user's sockets, joined or not.
    MessageNotification(MessageNotification<'a>) = "message_notification",
    /// The other in a joined conversation is writing.
    UserTyping(UserTyping<'a>) = "user_typing",
    /// The other has stopped writing, has been silent for 6 seconds, or is gone.
    UserStopTyping(UserTyping<'a>) = "user_stop_typing",
    /// The other, or the user on another device, has read.
    MessagesRead(MessagesRead<'a>) = "messages_read",
    /// Messages have reached a device of the recipient. At most ten a second and conversation; the last always comes.
    MessageDelivered(MessageDelivered<'a>) = "message_delivered",
    /// The user's unread messages have changed. At most ten a second and conversation; the last always comes.
    UnreadCount(UnreadCount<'a>) = "unread_count",
    /// Somebody with whom the user shares a conversation has come, or gone 5 seconds ago.
    Presence(Presence<'a>) = "presence",
    /// A message has a new text, and `edited_at`.
    MessageUpdated(Message<'a>) = MESSAGE_UPDATED,
    /// A message was taken back.
    MessageDeleted(MessageDeleted<'a>) = "message_deleted",
    /// More was missed since `auth.serverOffset` than is replayed: the client fetches what it wants with `fetch_messages`.
    Resync(Resync<'a>) = "resync",
    /// The token ends at this time, in a minute: the server closes the connection then unless `refresh_token` comes.
    TokenExpiring(TokenExpiring) = "token_expiring",
    /// The profile of a user has changed: of somebody with whom the user shares a conversation, or the user's own. At most ten
    /// a second and user; the last always comes.
    UserUpdated(Profile<'a>) = "user_updated",
    /// What the list shows of a conversation has changed: the user has archived, muted or pinned it on another device, the
    /// platform has made it or changed its listing, or a block between the two was set or taken back, by whichever of them. At most ten times a second and conversation. A
    /// block is the same in all conversations of the two, so it comes for the newest ten.
    ConversationUpdated(Box<Conversation<'a>>) = CONVERSATION_UPDATED,
    /// The account is suspended: the server closes the connection, and takes none until that ends.
    AccountSuspended(Suspension<'a>) = "account_suspended",
    /// The user has blocked somebody, on another device.
    UserBlocked(BlockedUser<'a>) = "user_blocked",
    /// The user has ended a block, on another device.
    UserUnblocked(BlockedUser<'a>) = "user_unblocked",
}
