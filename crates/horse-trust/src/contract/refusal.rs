//! Why an event or a request is refused, in the contract's words.

use std::fmt;

/// Makes an enum of refusals: of each its name, the status that it has over HTTP, and its text.
macro_rules! refusals {
    ($($(#[$meta:meta])* $name:ident $({ $(#[$of_field:meta])* $field:ident: $kind:ty $(,)? })? = $status:literal $text:literal,)*) => {
        /// A refusal. Its text is part of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Refusal {
            $($(#[$meta])* $name $({ $(#[$of_field])* $field: $kind })?,)*
        }

        impl Refusal {
            /// The text of every refusal.
            #[cfg(test)]
            pub(super) const TEXTS: &[&str] = &[$($text),*];

            /// The text that clients get. It holds nothing that JSON would escape.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name $({ $field: _ })? => $text,)*
                }
            }

            /// The status that it has over HTTP.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name $({ $field: _ })? => $status,)*
                }
            }
        }
    };
}

refusals! {
    /// Unknown, or the user takes no part: a stranger cannot tell which.
    ConversationNotFound = 404 "Conversation not found",
    /// Absent, empty or white space alone.
    TextRequired = 422 "Message text is required",
    /// More than 2000 UTF-16 units.
    TextTooLong = 422 "Message is too long (maximum 2000 characters)",
    /// A payload of another shape, or U+0000 in the text.
    InvalidMessage = 422 "Invalid message",
    /// A `client_id` of another shape.
    InvalidClientId = 422 "Invalid message",
    /// The sender has used this `client_id` for another message.
    ClientIdUsed = 409 "client_id was used for another message",
    /// The store failed. Whether the message was stored is not known, as the commit may have failed or only its
    /// answer: the same `client_id` is to be sent again.
    SendFailed = 500 "Error sending message",
    /// The store failed while it was read.
    StoreFailed = 500 "Server error",
    /// More than the configured rate.
    TooManyMessages {
        /// Seconds until the next message is taken.
        retry_after: u64,
    } = 429 "Too many messages",
    /// No event of the contract.
    UnknownEvent = 400 "Unknown event",
    /// The socket is in as many conversations as it may be.
    TooManyConversations = 400 "Too many conversations joined",
    /// Not an id.
    InvalidRecipient = 400 "Invalid recipient ID",
    /// The recipient is the user.
    MessageToSelf = 400 "Cannot message yourself",
    /// No account with this id.
    UserNotFound = 404 "User not found",
    /// Not an id.
    InvalidHorse = 400 "Invalid horse ID",
    /// A payload of another shape, of an event that carries no text.
    InvalidRequest = 400 "Invalid request",
    /// Unknown, or in a conversation of others: a stranger cannot tell which.
    MessageNotFound = 404 "Message not found",
    /// No message of the conversation has the id of `reply_to`.
    ReplyNotFound = 404 "Message to reply to not found",
    /// The message is the other's.
    NotTheSender = 403 "Only the sender can change a message",
    /// The message is older than the time in which it may be changed.
    TooLateToChange = 403 "Message can no longer be changed",
    /// The user has blocked the other.
    OtherBlocked = 403 "You have blocked this user",
    /// The other has blocked the user.
    BlockedByOther = 403 "You cannot message this user",
    /// Nobody blocks themselves.
    BlockOfSelf = 400 "Cannot block yourself",
    /// Nobody reports themselves.
    ReportOfSelf = 400 "Cannot report your own message",
    /// No report has this id.
    ReportNotFound = 404 "Report not found",
    /// What the platform says is no complaint about a user.
    ReportOfPlatform = 400 "Cannot report a system message",
    /// The sender that the platform names takes no part in the conversation.
    SenderNotInConversation = 422 "The sender takes no part in the conversation",
    /// Absent, empty, or too long.
    ReasonRequired = 422 "A reason is required (maximum 1000 characters)",
    /// The new token does not verify, or is another user's.
    InvalidToken = 401 "Invalid or expired token",
}

impl Refusal {
    /// For a block of the user's own, or of the other.
    pub(crate) fn blocked(by_user: bool) -> Self {
        if by_user { Self::OtherBlocked } else { Self::BlockedByOther }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl std::error::Error for Refusal {}
