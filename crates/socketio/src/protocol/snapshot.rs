//! A recoverable socket moves from one server to another: its client has come back there.
//!
//! The server that has the socket exports it with [`Socket::export`], and has it no longer. The other lets the client in
//! with the snapshot ([`Accept::snapshot`](crate::Accept)). How the two find each other, and that nothing that is sent
//! meanwhile is lost, is for the application to see to.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::protocol::core::{Namespace, Socket};
use crate::protocol::recovery::log::{Offset, format_offset, parse_offset};

/// A recoverable socket on its way to another server. Its `Debug` form does not hold the private id.
#[derive(Clone, Serialize, Deserialize)]
pub struct SocketSnapshot {
    sid: Box<str>,
    pid: Box<str>,
    owner: Box<str>,
    /// The last event that the client has seen.
    offset: Option<Box<str>>,
    /// The events after it, as packets.
    events: Vec<(Offset, Box<str>)>,
    /// The rooms that it was in.
    pub rooms: Vec<Box<str>>,
}

impl Socket {
    /// Ends the socket here, connected or not, for another server: its rooms, and the events after `offset`. A connection
    /// that there still is is closed. `None`, and nothing has changed, if `owner` may not have it, or what came after
    /// `offset` is not known.
    pub fn export(&self, owner: &str, offset: Option<&str>) -> Option<SocketSnapshot> {
        let mut link = self.0.link.lock();
        let recovery = self.namespace().recovery()?;
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
        let rooms = self.0.rooms.lock().names.iter().map(|room| Box::from(&**room)).collect();
        recovery.forget(&log.pid);
        self.end(None);
        Some(SocketSnapshot {
            sid: self.id().into(),
            pid: log.pid.clone(),
            owner: Box::from(&*log.owner),
            offset: offset.map(Into::into),
            events,
            rooms,
        })
    }
}

impl Namespace {
    /// Keeps a socket that another server exported as one that is lost; `None` if it is here already.
    pub(crate) fn import(&self, snapshot: SocketSnapshot) -> Option<Socket> {
        let recovery = self.recovery()?;
        if recovery.find(&snapshot.pid).is_some() {
            return None;
        }
        let mut log = recovery.new_log(snapshot.pid.clone(), &snapshot.owner);
        log.begin_after(snapshot.offset.as_deref().and_then(parse_offset));
        for (offset, packet) in &snapshot.events {
            log.push(*offset, Frame::text(packet), &recovery.config);
        }
        log.lost_at = Some(Instant::now());
        let socket =
            Socket::new(self.next_socket_id(), snapshot.sid, self.clone(), None, Some(Box::new(log)));
        recovery.remember(&snapshot.pid, &socket);
        Some(socket)
    }
}

impl std::fmt::Debug for SocketSnapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last = self.events.last().map(|(offset, _)| format_offset(*offset));
        formatter
            .debug_struct("SocketSnapshot")
            .field("sid", &self.sid)
            .field("offset", &self.offset)
            .field("events", &self.events.len())
            .field("last", &last)
            .finish_non_exhaustive()
    }
}
