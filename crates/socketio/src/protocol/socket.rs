//! A connected socket: emit, acknowledge, join, close.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::driver::handle::{InFlight, SessionHandle};
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::log_id::LogId;
use crate::protocol::encode;
use crate::protocol::namespace::{Namespace, Outgoing};
use crate::protocol::recovery::{Log, Offset};

/// Tells one socket from all others of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub(crate) u64);

/// A client's socket in one namespace. Clones are the same socket.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

struct Inner {
    key: SocketId,
    sid: Box<str>,
    namespace: Namespace,
    rooms: Mutex<JoinedRooms>,
    link: Mutex<Link>,
    waiting: Mutex<Option<Box<Waiting>>>,
}

#[derive(Default)]
struct JoinedRooms {
    names: Vec<Arc<str>>,
    /// The socket has ended: it joins nothing any more.
    is_closed: bool,
}

/// What connects a socket to a session. Locked while an event is sent, so that a take-over neither loses
/// nor doubles one.
struct Link {
    /// `None` while the connection is lost, and after the end.
    session: Option<Arc<SessionHandle>>,
    /// Present if the socket may be recovered.
    log: Option<Box<Log>>,
}

/// See [`Socket::give_away`].
type GivenAway = (Box<Log>, Vec<(Offset, Box<str>)>, Vec<Arc<str>>);

/// Acknowledgements that the client owes.
#[derive(Default)]
struct Waiting {
    next: u64,
    by_id: HashMap<u64, oneshot::Sender<Reply>>,
}

/// What a client acknowledged with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Each argument as JSON.
    pub arguments: Vec<Box<str>>,
    /// The binary attachments that the arguments' placeholders name.
    pub attachments: Vec<Bytes>,
}

/// The socket is in as many rooms, or owes as many acknowledgements, as it may; or it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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

impl Socket {
    pub(crate) fn new(
        key: SocketId,
        sid: Box<str>,
        namespace: Namespace,
        session: Option<Arc<SessionHandle>>,
        log: Option<Box<Log>>,
    ) -> Self {
        Self(Arc::new(Inner {
            key,
            sid,
            namespace,
            rooms: Mutex::default(),
            link: Mutex::new(Link { session, log }),
            waiting: Mutex::default(),
        }))
    }

    /// The id that the client knows as `socket.id`.
    pub fn id(&self) -> &str {
        &self.0.sid
    }

    /// Names the socket in the log.
    pub fn log_id(&self) -> LogId {
        LogId::of(&self.0.sid)
    }

    /// The id within this process.
    pub fn key(&self) -> SocketId {
        self.0.key
    }

    /// The namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// Whether a connection carries the socket now; one that is lost but may be recovered is not connected.
    pub fn is_connected(&self) -> bool {
        self.0.link.lock().session.is_some()
    }

    /// Emits an event to this socket. `arguments` is the inside of a JSON array; it may be empty.
    pub fn emit(&self, event: &str, arguments: &str) {
        self.deliver(&Outgoing::new(&self.0.namespace, event, arguments, &[]));
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
        self.deliver(&Outgoing::new(&self.0.namespace, event, arguments, attachments));
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
        session.push(&[encode::event(self.0.namespace.name(), Some(id), event, arguments, None, 0)]);
        Ok(Acknowledged { socket: self.clone(), id, receiver })
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
        if rooms.names.len() >= self.0.namespace.max_rooms() {
            return Err(SocketError::TooManyRooms);
        }
        rooms.names.push(self.0.namespace.rooms().join(room, self));
        Ok(())
    }

    /// Leaves a room.
    pub fn leave(&self, room: &str) {
        let mut rooms = self.0.rooms.lock();
        if let Some(index) = rooms.names.iter().position(|name| **name == *room) {
            rooms.names.swap_remove(index);
            self.0.namespace.rooms().leave(room, self.0.key);
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
            session.push(&[encode::packet("41", self.0.namespace.name(), "")]);
            session.close(CloseReason::ServerDisconnect);
        }
    }

    /// Sends an event, and keeps it if the socket may be recovered.
    pub(crate) fn deliver(&self, outgoing: &Outgoing<'_>) {
        let mut link = self.0.link.lock();
        let Link { session, log } = &mut *link;
        match (log, self.0.namespace.recovery()) {
            (Some(log), Some(recovery)) => {
                let (offset, frames) = outgoing.with_offset();
                if let [frame] = frames {
                    log.push(offset, frame.clone(), &recovery.config);
                }
                if let Some(session) = session {
                    session.push(frames);
                }
            }
            _ => {
                if let Some(session) = session {
                    session.push(outgoing.frames());
                }
            }
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

    /// Takes up this socket over `session`: sends the CONNECT reply and what was missed. `false`, and nothing
    /// has changed, if `owner` may not, or what was missed is not known, or is more than an outbox holds.
    pub(crate) fn resume(
        &self,
        owner: &str,
        offset: Option<&str>,
        session: &Arc<SessionHandle>,
        reply: Frame,
    ) -> bool {
        let mut link = self.0.link.lock();
        let Link { session: current, log } = &mut *link;
        let (Some(log), Some(recovery)) = (log, self.0.namespace.recovery()) else { return false };
        if !log.may_be_taken_by(owner, &recovery.config) {
            return false;
        }
        let Some(mut frames) = log.after(offset) else { return false };
        frames.insert(0, reply);
        let cost: usize = frames.iter().map(Frame::cost).sum();
        if cost > session.shared.config.outbox_limit / 2 {
            return false;
        }
        if let Some(old) = current.take() {
            old.close(CloseReason::Replaced);
        }
        log.lost_at = None;
        session.push(&frames);
        *current = Some(Arc::clone(session));
        true
    }

    /// Ends the socket for whoever takes it up elsewhere, if `owner` may: answers its log, what there is in it after
    /// `offset`, and its rooms. A connection that there still is is closed.
    pub(crate) fn give_away(&self, owner: &str, offset: Option<&str>) -> Option<GivenAway> {
        let mut link = self.0.link.lock();
        let recovery = self.0.namespace.recovery()?;
        let log = link.log.as_ref().filter(|log| log.may_be_taken_by(owner, &recovery.config))?;
        let text = |frame: &Frame| std::str::from_utf8(frame.payload()).ok().map(Box::from);
        let events: Option<Vec<_>> =
            log.events_after(offset)?.map(|(offset, frame)| Some((offset, text(frame)?))).collect();
        let events = events?;
        let log = link.log.take()?;
        if let Some(session) = link.session.take() {
            session.close(CloseReason::Replaced);
        }
        self.0.waiting.lock().take();
        drop(link);
        let rooms = self.0.rooms.lock().names.clone();
        recovery.forget(&log.pid);
        self.end(None);
        Some((log, events, rooms))
    }

    /// From now on the socket can't be taken up again when its connection is lost.
    pub fn give_up_recovery(&self) {
        let log = self.0.link.lock().log.take();
        if let (Some(log), Some(recovery)) = (log, self.0.namespace.recovery()) {
            recovery.forget(&log.pid);
        }
    }

    /// Until [`Socket::allow_recovery`] the socket ends with its connection. For an application that has not sent all
    /// that belongs together: a part of it could not be told from the whole.
    pub fn suspend_recovery(&self) {
        self.set_suspended(true);
    }

    /// The socket can be recovered again, if it could be before [`Socket::suspend_recovery`].
    pub fn allow_recovery(&self) {
        self.set_suspended(false);
    }

    fn set_suspended(&self, is_suspended: bool) {
        if let Some(log) = &mut self.0.link.lock().log {
            log.is_suspended = is_suspended;
        }
    }

    /// `session` has ended. The socket ends with it, or is kept for recovery; unless another session has
    /// taken it up.
    pub(crate) fn detach(&self, session: &Arc<SessionHandle>, reason: CloseReason) {
        let mut link = self.0.link.lock();
        if !link.session.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            return;
        }
        link.session = None;
        self.0.waiting.lock().take();
        match (&mut link.log, self.0.namespace.recovery()) {
            (Some(log), Some(recovery)) if reason.recoverable() && !log.is_suspended => {
                let now = Instant::now();
                log.lost_at = Some(now);
                let (pid, owner) = (log.pid.clone(), Arc::clone(&log.owner));
                drop(link);
                recovery.lost(&pid, &owner, now);
            }
            _ => {
                let log = link.log.take();
                drop(link);
                self.end(log);
            }
        }
    }

    /// Ends the socket if its connection is lost since `lost_at`.
    pub(crate) fn expire(&self, lost_at: Instant) {
        let mut link = self.0.link.lock();
        if link.session.is_none() && link.log.as_ref().is_some_and(|log| log.lost_at == Some(lost_at)) {
            let log = link.log.take();
            drop(link);
            self.end(log);
        }
    }

    /// Ends a socket without a connection that was handed over to here, but could not be taken up.
    pub(crate) fn end_unused(&self) {
        let log = self.0.link.lock().log.take();
        self.end(log);
    }

    fn end(&self, log: Option<Box<Log>>) {
        if let (Some(log), Some(recovery)) = (log, self.0.namespace.recovery()) {
            recovery.forget(&log.pid);
        }
        let mut rooms = self.0.rooms.lock();
        rooms.is_closed = true;
        for room in std::mem::take(&mut rooms.names) {
            self.0.namespace.rooms().leave(&room, self.0.key);
        }
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Socket").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Waits for a client's acknowledgement. Dropped, it no longer waits.
pub struct Acknowledged {
    socket: Socket,
    id: u64,
    receiver: oneshot::Receiver<Reply>,
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

/// What a client waits for, if it asked: the acknowledgement of one of its events.
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

    /// Whether the client asked for an acknowledgement.
    pub fn is_asked(&self) -> bool {
        self.id.is_some()
    }

    /// Names the session over which the event came, for the log.
    pub fn log_id(&self) -> LogId {
        self.in_flight.session().log_id()
    }

    /// Acknowledges, if the client asked for it. `arguments` is the inside of a JSON array.
    pub fn send(self, arguments: &str) {
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
