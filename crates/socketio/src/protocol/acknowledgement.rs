//! Acknowledgements: of the server's events by a client, and of a client's events by the application.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::driver::handle::{InFlight, SessionHandle};
use crate::engine::frame::Frame;
use crate::log_id::LogId;
use crate::protocol::core::{Namespace, Socket};
use crate::protocol::encode::{self, EncodeError};
use crate::protocol::reply::{Reply, SocketError};

/// Waits for a client's acknowledgement. Dropped, it no longer waits.
pub struct Acknowledged {
    socket: Socket,
    id: u64,
    receiver: oneshot::Receiver<Reply>,
}

impl Acknowledged {
    pub(crate) fn new(socket: Socket, id: u64, receiver: oneshot::Receiver<Reply>) -> Self {
        Self { socket, id, receiver }
    }
}

impl Future for Acknowledged {
    type Output = Result<Reply, SocketError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(cx).map(|reply| reply.map_err(|_| SocketError::Closed))
    }
}

impl Drop for Acknowledged {
    fn drop(&mut self) {
        if let Some(waiting) = self.socket.0.waiting.lock().as_mut() {
            waiting.by_id.remove(&self.id);
        }
    }
}

/// Acknowledges an event of a client, if the client wants that.
///
/// Until it is dropped, the event counts as in work; see [`Config::max_in_flight`](crate::Config).
pub struct Responder {
    namespace: Namespace,
    id: Option<u64>,
    in_flight: InFlight,
}

impl Responder {
    pub(crate) fn new(namespace: Namespace, id: Option<u64>, session: &Arc<SessionHandle>) -> Self {
        Self { namespace, id, in_flight: InFlight::begin(session) }
    }

    /// Whether the client wants an acknowledgement.
    pub fn wants_ack(&self) -> bool {
        self.id.is_some()
    }

    /// Names the session over which the event came, for the log.
    pub fn log_id(&self) -> LogId {
        self.in_flight.session().log_id()
    }

    /// Acknowledges with one argument, if the client wants it.
    ///
    /// # Errors
    ///
    /// If `data` does not serialize to JSON; then nothing is sent.
    pub fn send(self, data: impl Serialize) -> Result<(), EncodeError> {
        self.send_raw(&encode::json(&data)?);
        Ok(())
    }

    /// Acknowledges with JSON at hand. `arguments` is the inside of a JSON array; it may be empty.
    pub fn send_raw(self, arguments: &str) {
        self.send_binary(arguments, &[]);
    }

    /// Acknowledges with binary attachments, which `arguments` names by placeholders.
    pub fn send_binary(self, arguments: &str, attachments: &[Bytes]) {
        if let Some(id) = self.id {
            let mut frames =
                vec![encode::acknowledgement(self.namespace.name(), id, arguments, attachments.len())];
            frames.extend(attachments.iter().map(|bytes| Frame::binary(bytes)));
            self.in_flight.session().push(&frames);
        }
    }
}
