//! What an application implements: who is let into a namespace, and what takes a socket's events.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::engine::close::CloseReason;
use crate::engine::opening::Handshake;
use crate::protocol::acknowledgement::Responder;
use crate::protocol::core::{Namespace, Socket};
use crate::protocol::encode;
use crate::protocol::snapshot::SocketSnapshot;

/// Lets clients into a namespace.
pub trait NamespaceHandler: Send + Sync + 'static {
    /// A client asks to be let in.
    fn connect(&self, request: ConnectRequest<'_>) -> Connecting;
}

/// What a client sends to be let in.
#[derive(Debug, Clone, Copy)]
pub struct ConnectRequest<'a> {
    /// The handshake's `auth`, a JSON object, if there is one.
    pub auth: Option<&'a RawValue>,
    /// Where the client comes from.
    pub address: IpAddr,
    /// The request that opened the session, unless [`Config::keep_handshakes`] is off.
    pub handshake: Option<&'a Handshake>,
    /// The socket that the client wants to take up again, if this server does not have it: another may.
    pub lost: Option<LostSocket<'a>>,
}

/// What a client knows of a socket that it has lost. Its `Debug` form does not hold the private id.
#[derive(Clone, Copy)]
pub struct LostSocket<'a> {
    /// The private id: whoever knows it, and belongs to the same owner, gets the socket.
    pub pid: &'a str,
    /// The last event that the client has seen; `None` if it has seen none.
    pub offset: Option<&'a str>,
}

impl std::fmt::Debug for LostSocket<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LostSocket").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// The answer to a [`ConnectRequest`], now or later. Later packets of the client wait for it.
#[non_exhaustive]
pub enum Connecting {
    /// Now.
    Done(Result<Accept, ConnectError>),
    /// Later.
    Later(Pin<Box<dyn Future<Output = Result<Accept, ConnectError>> + Send>>),
}

/// The client is let in.
pub struct Accept {
    /// Takes the socket's events.
    pub handler: Box<dyn SocketHandler>,
    /// Whom the socket belongs to, if it shall be recovered after a lost connection; only the same owner can
    /// take it up again. It needs [`Config::recovery`].
    pub recovery: Option<String>,
    /// The socket that [`ConnectRequest::lost`] asks for, from the server that had it.
    pub snapshot: Option<Box<SocketSnapshot>>,
}

/// The client is not let in: it gets a `CONNECT_ERROR` packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// The error's `message`.
    pub message: String,
    /// The error's `data`, as JSON, if there is any.
    pub data: Option<String>,
}

/// Takes the events of one socket, one at a time and in their order.
pub trait SocketHandler: Send + 'static {
    /// The client is in. Runs before the client can know it and before its next packet is looked at.
    /// `recovered`: a lost connection was taken up again, rooms and missed events are back; the rooms of a socket that
    /// came as a snapshot have to be joined here.
    fn connected(&mut self, socket: &Socket, recovered: bool) {
        let _ = (socket, recovered);
    }

    /// An event came. What has to be done before the socket's next event is done here or in the returned
    /// future; what may take longer keeps the event's responder.
    fn event(&mut self, socket: &Socket, event: Event<'_>) -> Option<EventFuture>;

    /// The connection has ended.
    fn disconnected(&mut self, socket: &Socket, reason: CloseReason) {
        let _ = (socket, reason);
    }
}

/// Work on an event that the next event of the same socket has to wait for.
pub type EventFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An event of a client.
pub struct Event<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its arguments, each as JSON.
    pub arguments: &'a [&'a RawValue],
    /// The binary attachments that placeholders in the arguments name.
    pub attachments: &'a [Bytes],
    /// Acknowledges it.
    pub responder: Responder,
}

impl Event<'_> {
    /// The arguments as the inside of a JSON array, to be sent on.
    pub fn joined_arguments(&self) -> String {
        encode::join(self.arguments)
    }
}

/// A namespace, and who lets clients in.
pub(crate) struct Served {
    pub(crate) namespace: Namespace,
    pub(crate) handler: Box<dyn NamespaceHandler>,
}
