//! A recoverable socket goes from one server to another: its client has come back there.
//!
//! The server that has the socket gives it away with [`Socket::hand_over`], and has it no longer. The other lets the
//! client in with what was given ([`Accept::handed_over`](crate::Accept)). How the two find each other, and who sees to
//! it that nothing that is told meanwhile is lost, is the application's.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::engine::frame::Frame;
use crate::protocol::namespace::Namespace;
use crate::protocol::recovery::{Offset, format_offset, parse_offset};
use crate::protocol::socket::Socket;

/// A socket on its way. Its `Debug` form does not hold the private id.
#[derive(Clone, Serialize, Deserialize)]
pub struct HandedOver {
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
    /// Takes the socket away from here, connected or not, for another server: its rooms, and the events after `offset`.
    /// `None`, and nothing has changed, if `owner` may not have it, or what came after `offset` is not known.
    pub fn hand_over(&self, owner: &str, offset: Option<&str>) -> Option<HandedOver> {
        let (log, events, rooms) = self.give_away(owner, offset)?;
        Some(HandedOver {
            sid: self.id().into(),
            pid: log.pid.clone(),
            owner: Box::from(&*log.owner),
            offset: offset.map(Into::into),
            events,
            rooms: rooms.iter().map(|room| Box::from(&**room)).collect(),
        })
    }
}

impl Namespace {
    /// The socket with this private id that may be taken up again, if it is here: a lost one, or one whose loss was not
    /// noticed yet.
    pub fn recoverable(&self, pid: &str) -> Option<Socket> {
        self.recovery()?.find(pid)
    }

    /// Keeps a socket that was handed over as one that is lost; `None` if that can't be.
    pub(crate) fn adopt(&self, given: HandedOver) -> Option<Socket> {
        let recovery = self.recovery()?;
        if recovery.find(&given.pid).is_some() {
            return None;
        }
        let mut log = recovery.new_log(given.pid.clone(), &given.owner);
        log.begin_after(given.offset.as_deref().and_then(parse_offset));
        for (offset, packet) in &given.events {
            log.push(*offset, Frame::text(packet), &recovery.config);
        }
        log.lost_at = Some(Instant::now());
        let socket = Socket::new(self.next_socket_id(), given.sid, self.clone(), None, Some(Box::new(log)));
        recovery.remember(&given.pid, &socket);
        Some(socket)
    }
}

impl std::fmt::Debug for HandedOver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last = self.events.last().map(|(offset, _)| format_offset(*offset));
        formatter
            .debug_struct("HandedOver")
            .field("sid", &self.sid)
            .field("offset", &self.offset)
            .field("events", &self.events.len())
            .field("last", &last)
            .finish_non_exhaustive()
    }
}
