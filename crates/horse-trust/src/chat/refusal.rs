//! Why the chat says no, in the contract's words.

/// A refusal. Its text is part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Unknown, or the user takes no part: a stranger cannot tell which.
    #[error("Conversation not found")]
    ConversationNotFound,
    /// Absent, empty or white space alone.
    #[error("Message text is required")]
    TextRequired,
    /// More than 2000 UTF-16 units.
    #[error("Message is too long (maximum 2000 characters)")]
    TextTooLong,
    /// A payload of another shape, or U+0000 in the text.
    #[error("Invalid message")]
    InvalidMessage,
    /// A `client_id` of another shape.
    #[error("Invalid message")]
    InvalidClientId,
    /// The sender has used this `client_id` for another message.
    #[error("client_id was used for another message")]
    ClientIdUsed,
    /// The store failed. Whether the message was stored is not known, as the commit may have failed or only its
    /// answer: the same `client_id` is to be sent again.
    #[error("Error sending message")]
    SendFailed,
    /// The store failed while it was read.
    #[error("Server error")]
    StoreFailed,
    /// More than the configured rate.
    #[error("Too many messages")]
    TooManyMessages {
        /// Seconds until the next message is taken.
        retry_after: u64,
    },
    /// No event of the contract.
    #[error("Unknown event")]
    UnknownEvent,
    /// The socket is in as many conversations as it may be.
    #[error("Too many conversations joined")]
    TooManyConversations,
    /// Not an id.
    #[error("Invalid recipient ID")]
    InvalidRecipient,
    /// The recipient is the user.
    #[error("Cannot message yourself")]
    MessageToSelf,
    /// No account with this id.
    #[error("User not found")]
    UserNotFound,
    /// Not an id.
    #[error("Invalid horse ID")]
    InvalidHorse,
    /// A payload of another shape, of an event that carries no text.
    #[error("Invalid request")]
    InvalidRequest,
    /// Unknown, or in a conversation of others: a stranger cannot tell which.
    #[error("Message not found")]
    MessageNotFound,
    /// The message is the other's.
    #[error("Only the sender can change a message")]
    NotTheSender,
    /// The message is older than the time in which it may be changed.
    #[error("Message can no longer be changed")]
    TooLateToChange,
    /// The user has blocked the other.
    #[error("You have blocked this user")]
    OtherBlocked,
    /// The other has blocked the user.
    #[error("You cannot message this user")]
    BlockedByOther,
    /// Nobody blocks themselves.
    #[error("Cannot block yourself")]
    BlockOfSelf,
    /// Nobody reports themselves.
    #[error("Cannot report your own message")]
    ReportOfSelf,
    /// Absent, empty, or too long.
    #[error("A reason is required (maximum 1000 characters)")]
    ReasonRequired,
    /// The new token does not verify, or is another user's.
    #[error("Invalid or expired token")]
    InvalidToken,
}

impl Refusal {
    /// For a block of the user's own, or of the other.
    pub(crate) fn blocked(by_user: bool) -> Self {
        if by_user { Self::OtherBlocked } else { Self::BlockedByOther }
    }
}
