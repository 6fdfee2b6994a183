//! The events of clients: of each its name, its payload, and what its acknowledgement brings.

#[cfg(test)]
use super::{
    composed::{Answered, Done, EventSchema, Fetched},
    connection::{RefreshToken, Refreshed},
    conversation::{Conversation, ConversationName, UpdateConversation},
    history::{FetchMessages, MarkRead, Marked},
    message::{EditMessage, Message, MessageName, SendMessage},
    people::UserName,
    report::{ReportMessage, Reported},
};

/// Makes the enum of the client's events: of each its payload, what the acknowledgement brings, and its name.
macro_rules! client_events {
    ($($(#[doc = $doc:literal])+ $event:ident($payload:ty) -> $answer:ty = $name:literal,)*) => {
        /// An event of a client.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ClientEvent {
            $($(#[doc = $doc])+ $event,)*
        }

        impl ClientEvent {
            /// The event with this name; `None` if the contract has none.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$event),)*
                    _ => None,
                }
            }

            /// Every event, with the schemas of its payload and of its acknowledgement.
            #[cfg(test)]
            pub(super) fn schemas(
                payloads: &mut schemars::SchemaGenerator,
                answers: &mut schemars::SchemaGenerator,
            ) -> Vec<EventSchema> {
                vec![$(EventSchema {
                    name: $name,
                    description: [$($doc),+].concat(),
                    payload: payloads.subschema_for::<$payload>(),
                    answer: Some(answers.subschema_for::<$answer>()),
                }),*]
            }
        }
    };
}

client_events! {
    /// From now on this socket gets the events of the conversation. At most 1000 conversations a socket.
    JoinConversation(ConversationName) -> Done = "join_conversation",
    /// Ends what `join_conversation` began. Events that go to all of the user's devices go on.
    LeaveConversation(ConversationName) -> Done = "leave_conversation",
    /// Stores a message, then sends it to the others; the acknowledgement is the stored message.
    SendMessage(SendMessage) -> Answered<Message<'_>> = "send_message",
    /// The user is writing; ends by itself 6 seconds after the last, and with a message.
    Typing(ConversationName) -> Done = "typing",
    /// The user has stopped writing on this device; the other is notified when it was the last that did.
    StopTyping(ConversationName) -> Done = "stop_typing",
    /// A part of the history, oldest first; deleted messages are in it, without text. Marks nothing as read.
    FetchMessages(FetchMessages) -> Fetched = "fetch_messages",
    /// Marks what the other wrote as read.
    MarkRead(MarkRead) -> Answered<Marked> = "mark_read",
    /// Replaces the text of an own message, in the first 15 minutes (`EDIT_WINDOW`).
    EditMessage(EditMessage) -> Answered<Message<'_>> = "edit_message",
    /// Takes an own message back, in the first 15 minutes (`EDIT_WINDOW`).
    DeleteMessage(MessageName) -> Answered<Message<'_>> = "delete_message",
    /// From now on no message and no typing goes between the two, and neither sees the other's presence.
    BlockUser(UserName) -> Done = "block_user",
    /// Ends the user's block; one by the other stays.
    UnblockUser(UserName) -> Done = "unblock_user",
    /// Archives, mutes or pins a conversation for the user alone; the acknowledgement has it as the list then shows it.
    UpdateConversation(UpdateConversation) -> Answered<Conversation<'_>> = "update_conversation",
    /// Reports another's message to the admins, for whom it is kept as it is.
    ReportMessage(ReportMessage) -> Answered<Reported<'_>> = "report_message",
    /// Keeps the socket beyond the end of its token, with a new token of the same user.
    RefreshToken(RefreshToken) -> Answered<Refreshed> = "refresh_token",
}
