//! A namespace: who is let in, its rooms, and what is emitted to them.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::config::Config;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::opening::Handshake;
use crate::protocol::encode;
use crate::protocol::hand_over::HandedOver;
use crate::protocol::recovery::{Offset, Recovery, format_offset};
use crate::protocol::rooms::Rooms;
use crate::protocol::socket::{Responder, Socket, SocketId};

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
pub enum Connecting {
    /// Now.
    Done(Result<Accept, Refuse>),
    /// Later.
    Later(Pin<Box<dyn Future<Output = Result<Accept, Refuse>> + Send>>),
}

/// The client is let in.
pub struct Accept {
    /// Takes the socket's events.
    pub handler: Box<dyn SocketHandler>,
    /// Whom the socket belongs to, if it shall be recovered after a lost connection; only the same owner can
    /// take it up again. It needs [`Config::recovery`].
    pub recovery: Option<String>,
    /// The socket that [`ConnectRequest::lost`] asks for, from the server that had it.
    pub handed_over: Option<Box<HandedOver>>,
}

/// The client is not let in: it gets a `CONNECT_ERROR` packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refuse {
    /// The error's `message`.
    pub message: String,
    /// The error's `data`, as JSON, if there is any.
    pub data: Option<String>,
}

/// Takes the events of one socket, one at a time and in their order.
pub trait SocketHandler: Send + 'static {
    /// The client is in. Runs before the client can know it and before its next packet is looked at.
    /// `recovered`: a lost connection was taken up again, rooms and missed events are back; the rooms of a socket that
    /// was handed over have to be joined here.
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
        join(self.arguments)
    }
}

pub(crate) fn join(arguments: &[&RawValue]) -> String {
    let mut joined = String::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            joined.push(',');
        }
        joined.push_str(argument.get());
    }
    joined
}

/// A namespace. Clones are the same namespace.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: Box<str>,
    handler: OnceLock<Box<dyn NamespaceHandler>>,
    rooms: Rooms,
    max_rooms: usize,
    recovery: Option<Arc<Recovery>>,
    next_socket: AtomicU64,
    next_offset: AtomicU64,
}

impl Namespace {
    /// A namespace without a handler yet; [`Namespace::serve`] gives it one.
    pub fn new(name: &str, config: &Config) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            handler: OnceLock::new(),
            rooms: Rooms::new(),
            max_rooms: config.max_rooms,
            next_socket: AtomicU64::new(0),
            next_offset: AtomicU64::new(config.recovery.as_ref().map_or(1, |recovery| recovery.first_offset)),
            recovery: config.recovery.clone().map(|config| Arc::new(Recovery::new(config))),
        }))
    }

    /// Sets who lets clients in; the first call counts.
    pub fn serve(&self, handler: Box<dyn NamespaceHandler>) {
        if self.0.handler.set(handler).is_err() {
            tracing::warn!(namespace = %self.0.name, "the namespace has a handler already");
        }
    }

    /// The name, `/` or one that begins with a slash.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Emits an event to every socket in `room` except `except`. `arguments` is the inside of a JSON array.
    ///
    /// All sockets of the room see the events of the room in the same order. The event is encoded once.
    pub fn emit(&self, room: &str, except: Option<SocketId>, event: &str, arguments: &str) {
        let outgoing = Outgoing::new(self, event, arguments, &[]);
        self.0.rooms.visit(room, |socket| {
            if Some(socket.key()) != except {
                socket.deliver(&outgoing);
            }
        });
    }

    /// Emits an event, once a socket, to every socket that is in one of `rooms`. `takes` is asked for each, with the
    /// first of the rooms in which it is; it must not join or leave rooms.
    ///
    /// Emits that follow one another reach each socket in that order.
    pub fn emit_to(
        &self,
        rooms: &[&str],
        event: &str,
        arguments: &str,
        mut takes: impl FnMut(&Socket, usize) -> bool,
    ) {
        let outgoing = Outgoing::new(self, event, arguments, &[]);
        let mut seen = Seen::default();
        for (index, room) in rooms.iter().enumerate() {
            self.0.rooms.visit(room, |socket| {
                if (rooms.len() == 1 || seen.insert(socket.key())) && takes(socket, index) {
                    socket.deliver(&outgoing);
                }
            });
        }
    }

    /// Whether no socket is in `room`.
    pub fn is_empty(&self, room: &str) -> bool {
        let mut is_empty = true;
        self.0.rooms.visit(room, |_| is_empty = false);
        is_empty
    }

    /// Whether a socket in `room` has a connection now.
    pub fn has_connected(&self, room: &str) -> bool {
        let mut found = false;
        self.0.rooms.visit(room, |socket| found = found || socket.is_connected());
        found
    }

    /// The sockets in a room, also those whose connection is lost but may be recovered.
    pub fn sockets_in(&self, room: &str) -> Vec<Socket> {
        let mut sockets = Vec::new();
        self.0.rooms.visit(room, |socket| sockets.push(socket.clone()));
        sockets
    }

    pub(crate) fn handler(&self) -> Option<&dyn NamespaceHandler> {
        self.0.handler.get().map(|handler| &**handler)
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    pub(crate) fn max_rooms(&self) -> usize {
        self.0.max_rooms
    }

    pub(crate) fn recovery(&self) -> Option<&Arc<Recovery>> {
        self.0.recovery.as_ref()
    }

    pub(crate) fn next_socket_id(&self) -> SocketId {
        SocketId(self.0.next_socket.fetch_add(1, Ordering::Relaxed))
    }
}

impl std::fmt::Debug for Namespace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Namespace").field(&self.name()).finish()
    }
}

/// The sockets that an emit has come to: most often a few, that are looked through; else many.
#[derive(Default)]
struct Seen {
    few: SmallVec<[SocketId; 16]>,
    many: HashSet<SocketId>,
}

impl Seen {
    /// `false` if it was there already.
    fn insert(&mut self, key: SocketId) -> bool {
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() < self.few.inline_size() {
            self.few.push(key);
            return true;
        }
        self.many.insert(key)
    }
}

/// An event on its way out, encoded at most once with an offset and once without.
pub(crate) struct Outgoing<'a> {
    namespace: &'a Namespace,
    event: &'a str,
    arguments: &'a str,
    attachments: &'a [Bytes],
    plain: OnceCell<Vec<Frame>>,
    with_offset: OnceCell<(Offset, Vec<Frame>)>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(
        namespace: &'a Namespace,
        event: &'a str,
        arguments: &'a str,
        attachments: &'a [Bytes],
    ) -> Self {
        Self {
            namespace,
            event,
            arguments,
            attachments,
            plain: OnceCell::new(),
            with_offset: OnceCell::new(),
        }
    }

    /// The packet as it is.
    pub(crate) fn frames(&self) -> &[Frame] {
        self.plain.get_or_init(|| self.encode(None))
    }

    /// The packet with its offset as the last argument. An event with attachments has none: it is not kept.
    pub(crate) fn with_offset(&self) -> (Offset, &[Frame]) {
        if !self.attachments.is_empty() {
            return (0, self.frames());
        }
        let (offset, frames) = self.with_offset.get_or_init(|| {
            let offset = self.namespace.0.next_offset.fetch_add(1, Ordering::Relaxed);
            (offset, self.encode(Some(&format_offset(offset))))
        });
        (*offset, frames)
    }

    fn encode(&self, offset: Option<&str>) -> Vec<Frame> {
        let count = self.attachments.len();
        let text = encode::event(self.namespace.name(), None, self.event, self.arguments, offset, count);
        let mut frames = Vec::with_capacity(1 + count);
        frames.push(text);
        frames.extend(self.attachments.iter().map(|bytes| Frame::binary(bytes)));
        frames
    }
}
