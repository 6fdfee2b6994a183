//! What an application does with a connected socket: emit, acknowledge, join, close.

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::engine::close::CloseReason;
use crate::protocol::acknowledgement::Acknowledged;
use crate::protocol::core::Socket;
use crate::protocol::encode::{self, EncodeError};
use crate::protocol::outgoing::Outgoing;
use crate::protocol::reply::{Reply, SocketError};

impl Socket {
    /// Whether a connection carries the socket now; one that is lost but may be recovered is not connected.
    pub fn is_connected(&self) -> bool {
        self.0.link.lock().session.is_some()
    }

    /// Emits an event with one argument to this socket.
    ///
    /// # Errors
    ///
    /// If `data` does not serialize to JSON; then nothing is sent.
    pub fn emit(&self, event: &str, data: impl Serialize) -> Result<(), EncodeError> {
        self.emit_raw(event, &encode::json(&data)?);
        Ok(())
    }

    /// Emits an event with JSON at hand. `arguments` is the inside of a JSON array; it may be empty.
    pub fn emit_raw(&self, event: &str, arguments: &str) {
        self.deliver(&Outgoing::new(self.namespace(), event, arguments, &[]));
    }

    /// Waits until no more than `limit` bytes wait to be sent to the client; `false` if there is no connection, or it
    /// ended meanwhile. One caller at a time.
    pub async fn drained(&self, limit: usize) -> bool {
        let session = self.0.link.lock().session.clone();
        match session {
            Some(session) => std::future::poll_fn(|cx| session.poll_drained(cx, limit)).await,
            None => false,
        }
    }

    /// Emits an event with binary attachments, which `arguments` names by placeholders.
    pub fn emit_binary(&self, event: &str, arguments: &str, attachments: &[Bytes]) {
        self.deliver(&Outgoing::new(self.namespace(), event, arguments, attachments));
    }

    /// Emits an event that the client is asked to acknowledge.
    pub fn emit_with_acknowledgement(
        &self,
        event: &str,
        arguments: &str,
    ) -> Result<Acknowledged, SocketError> {
        let link = self.0.link.lock();
        let session = link.session.as_ref().ok_or(SocketError::Closed)?;
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut waiting = self.0.waiting.lock();
            let waiting = waiting.get_or_insert_default();
            if waiting.by_id.len() >= session.shared.config.max_pending_acknowledgements {
                return Err(SocketError::TooManyAcknowledgements);
            }
            let id = waiting.next;
            waiting.next += 1;
            waiting.by_id.insert(id, sender);
            id
        };
        session.push(&[encode::event(self.namespace().name(), Some(id), event, arguments, None, 0)]);
        Ok(Acknowledged::new(self.clone(), id, receiver))
    }

    /// Joins a room.
    pub fn join(&self, room: &str) -> Result<(), SocketError> {
        let mut rooms = self.0.rooms.lock();
        if rooms.is_closed {
            return Err(SocketError::Closed);
        }
        if rooms.names.iter().any(|name| **name == *room) {
            return Ok(());
        }
        if rooms.names.len() >= self.namespace().0.max_rooms {
            return Err(SocketError::TooManyRooms);
        }
        rooms.names.push(self.namespace().0.rooms.join(room, self.key(), self.clone()));
        Ok(())
    }

    /// Leaves a room.
    pub fn leave(&self, room: &str) {
        let mut rooms = self.0.rooms.lock();
        if let Some(index) = rooms.names.iter().position(|name| **name == *room) {
            rooms.names.swap_remove(index);
            self.namespace().0.rooms.leave(room, self.key());
        }
    }

    /// Whether the socket is in a room.
    pub fn is_in(&self, room: &str) -> bool {
        self.0.rooms.lock().names.iter().any(|name| **name == *room)
    }

    /// Ends the connection beneath this socket after what waits was sent; the client connects again by
    /// itself.
    pub fn close_connection(&self) {
        if let Some(session) = &self.0.link.lock().session {
            session.close(CloseReason::Shutdown);
        }
    }

    /// Puts the socket out of its namespace and ends the connection; the client does not come back by itself.
    pub fn disconnect(&self) {
        let session = self.0.link.lock().session.clone();
        if let Some(session) = session {
            session.push(&[encode::packet("41", self.namespace().name(), "")]);
            session.close(CloseReason::ServerDisconnect);
        }
    }

    /// The client has acknowledged an event; what nobody waits for is passed over.
    pub(crate) fn acknowledged(&self, id: u64, reply: Reply) {
        let sender = self.0.waiting.lock().as_mut().and_then(|waiting| waiting.by_id.remove(&id));
        if let Some(sender) = sender {
            // Who has stopped waiting does not want it.
            drop(sender.send(reply));
        }
    }
}
