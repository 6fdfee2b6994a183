//! Acknowledgements that clients owe, and why there is none.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::oneshot;

/// What a client acknowledged with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Each argument as JSON.
    pub arguments: Vec<Box<str>>,
    /// The binary attachments that the arguments' placeholders name.
    pub attachments: Vec<Bytes>,
}

/// Acknowledgements that the client owes.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) next: u64,
    pub(crate) by_id: HashMap<u64, oneshot::Sender<Reply>>,
}

/// The socket is in as many rooms, or owes as many acknowledgements, as it may; or it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The socket is in as many rooms as the configuration allows.
    #[error("the socket is in too many rooms")]
    TooManyRooms,
    /// The client owes as many acknowledgements as the configuration allows.
    #[error("the client owes too many acknowledgements")]
    TooManyAcknowledgements,
    /// The socket has ended.
    #[error("the socket is closed")]
    Closed,
}
