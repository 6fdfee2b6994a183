//! The settings of the chat.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::store::Profile;

/// The settings of the chat.
#[derive(Debug, Clone)]
pub struct ChatConfig {
    /// Messages a second that one user may send, with bursts of five times as many, and ten times as many other
    /// requests; `None` is no limit.
    pub message_rate: Option<NonZeroU32>,
    /// Connections a second that one user may open, with bursts of two hundred times as many; `None` is no limit.
    pub connection_rate: Option<NonZeroU32>,
    /// What is shown of the platform as the sender of a message.
    pub system: Arc<Profile>,
    /// For how long a message can be edited and deleted by its sender.
    pub edit_window: Duration,
    /// For how long texts that were edited away or deleted are kept for a dispute.
    pub withdrawn_retention: Duration,
    /// How long a user may be without a device before others are notified.
    pub presence_grace: Duration,
    /// How many bytes of messages a slice of history has at most, if it has more than one message.
    pub slice_bytes: usize,
}
