//! How a socket gets its events, loses its connection, gets another one, and ends.

use std::sync::Arc;

use tokio::time::Instant;

use crate::driver::handle::SessionHandle;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::protocol::core::{Link, Socket};
use crate::protocol::outgoing::Outgoing;
use crate::protocol::recovery::log::Log;
use crate::protocol::recovery::table::Expire;

impl Socket {
    /// Sends an event, and keeps it if the socket may be recovered.
    pub(crate) fn deliver(&self, outgoing: &Outgoing<'_>) {
        let mut link = self.0.link.lock();
        let Link { session, log } = &mut *link;
        match (log, self.namespace().recovery()) {
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
        let (Some(log), Some(recovery)) = (log, self.namespace().recovery()) else { return false };
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

    /// From now on the socket can't be taken up again when its connection is lost.
    pub fn give_up_recovery(&self) {
        let log = self.0.link.lock().log.take();
        if let (Some(log), Some(recovery)) = (log, self.namespace().recovery()) {
            recovery.forget(&log.pid);
        }
    }

    /// Until [`Socket::allow_recovery`] the socket ends with its connection. For an application that has not sent all
    /// that belongs together: a client could not know a part of it from the whole.
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
        match (&mut link.log, self.namespace().recovery()) {
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

    /// Ends a socket without a connection, which was imported but could not be resumed.
    pub(crate) fn discard(&self) {
        let log = self.0.link.lock().log.take();
        self.end(log);
    }

    pub(crate) fn end(&self, log: Option<Box<Log>>) {
        if let (Some(log), Some(recovery)) = (log, self.namespace().recovery()) {
            recovery.forget(&log.pid);
        }
        let mut rooms = self.0.rooms.lock();
        rooms.is_closed = true;
        for room in std::mem::take(&mut rooms.names) {
            self.namespace().0.rooms.leave(&room, self.key());
        }
    }
}

impl Expire for Socket {
    fn expire(&self, lost_at: Instant) {
        let mut link = self.0.link.lock();
        if link.session.is_none() && link.log.as_ref().is_some_and(|log| log.lost_at == Some(lost_at)) {
            let log = link.log.take();
            drop(link);
            self.end(log);
        }
    }
}
