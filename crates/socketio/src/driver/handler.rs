//! What a session's messages go to, and how it answers.

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::driver::handle::SessionHandle;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;

/// A message of an Engine.IO session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What a session's messages go to: the Socket.IO client of this crate, or a protocol of one's own.
pub trait MessageHandler: Send + 'static {
    /// Whether the next message is taken. While this is pending, messages stay in the client's connection.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }

    /// Whether [`MessageHandler::poll_ready`] would surely say yes; asked between messages of one read.
    fn takes_more(&self) -> bool {
        true
    }

    /// A message came. An error closes the session.
    fn message(&mut self, message: Message<'_>) -> Result<(), CloseReason>;

    /// Whether the client has done what it has to do within the connect timeout.
    fn is_established(&self) -> bool {
        true
    }

    /// How many bytes are held of what is not whole yet.
    fn held(&self) -> usize {
        0
    }

    /// The session has ended.
    fn closed(&mut self, reason: CloseReason) {
        let _ = reason;
    }
}

/// A way for a message handler of one's own to send.
#[derive(Clone)]
pub struct EngineSocket(pub(crate) Arc<SessionHandle>);

impl EngineSocket {
    /// The session's id.
    pub fn sid(&self) -> &str {
        &self.0.sid
    }

    /// Sends a message.
    pub fn send(&self, message: Message<'_>) {
        let frame = match message {
            Message::Text(text) => Frame::text(&format!("4{text}")),
            Message::Binary(bytes) => Frame::binary(bytes),
        };
        self.0.push(&[frame]);
    }

    /// Ends the session after what waits was sent.
    pub fn close(&self) {
        self.0.close(CloseReason::ServerDisconnect);
    }
}
