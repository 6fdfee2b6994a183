//! The session itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::io::{Input, Output, Wakes};
use super::polling::Polling;
use crate::config::Config;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::packet::EnginePacket;

/// How long a session that its client has closed over polling is there for the GET that the client sent before: it comes
/// over another connection, and may come later.
const LINGER: Duration = Duration::from_millis(100);
/// How long a session that ends in order waits for its events in work.
const FINISH: Duration = Duration::from_secs(5);
/// How long a polling client has to fetch what waits, when its session ends in order.
const FLUSH: Duration = Duration::from_secs(5);

/// A session. See the module for what it is, and `Input` and `Output` for how it is used.
#[derive(Debug)]
pub(crate) struct Session {
    config: Arc<Config>,
    pub(super) phase: Phase,
    /// Until when the phase may last. While the session is open: until when the client has to be established.
    phase_deadline: Option<Instant>,
    /// When the next ping is to be sent, or its answer has to be here (Engine.IO protocol, "Heartbeat": in this version the
    /// server pings).
    pub(super) heartbeat_due: Instant,
    pub(super) awaits_pong: bool,
    /// Until when the peer has to take a byte of what is being written.
    write_deadline: Option<Instant>,
    pub(super) outbox: VecDeque<Frame>,
    /// The cost of what is in `outbox` or being written.
    pub(super) queued: usize,
    /// Whether a GET that came after the probe was overtaken by the upgrade.
    pub(super) refuses_poll: bool,
    /// Whether polling responses are held back.
    pub(super) is_corked: bool,
    handler: Handler,
    /// Why the session is to end, or has.
    pub(super) closing: Option<CloseReason>,
    close_code: Option<u16>,
    /// Present while the transport is HTTP long-polling.
    pub(super) polling: Option<Box<Polling>>,
    pub(super) wakes: Wakes,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// It ends in order: events in work are finished, and the client does not learn of the end yet.
    Finishing,
    /// A polling client is given until `phase_deadline` to fetch what waits, and the end.
    Closing,
    /// A polling client was sent the end.
    CloseSent,
    /// Nothing is sent any more.
    Ended,
}

/// What the driver knows of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handler {
    Attached,
    Finishing,
    Detached,
}

impl Session {
    pub(crate) fn new(config: Arc<Config>, is_polling: bool, now: Instant) -> Self {
        Self {
            phase: Phase::Open,
            phase_deadline: Some(now + config.connect_timeout),
            heartbeat_due: now + config.ping_interval,
            awaits_pong: false,
            write_deadline: None,
            outbox: VecDeque::new(),
            queued: 0,
            refuses_poll: false,
            is_corked: false,
            handler: Handler::Attached,
            closing: None,
            close_code: None,
            polling: is_polling.then(Box::default),
            wakes: Wakes::default(),
            config,
        }
    }

    /// Queues frames, all of them or none. A session that can't take them, because more than `limit` would wait, is
    /// closed: never a silent gap. This is the hot path; no deadline depends on it, so it needs no time.
    pub(crate) fn push(&mut self, frames: &[Frame], limit: usize) {
        let is_taken = match self.phase {
            Phase::Open | Phase::Finishing => true,
            // What events in work lead to is still sent.
            Phase::Closing => self.closing.is_some_and(CloseReason::flushes),
            Phase::CloseSent | Phase::Ended => false,
        };
        if !is_taken {
            return;
        }
        let queued = self.queued + frames.iter().map(Frame::cost).sum::<usize>();
        if queued > limit.min(self.config.outbox_limit) {
            return self.overflow();
        }
        self.queued = queued;
        self.outbox.extend(frames.iter().cloned());
        self.wake_for_output();
    }

    /// Takes in what happened.
    pub(crate) fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Packet(packet) => self.packet(&packet, now),
            Input::Established if self.phase == Phase::Open => self.phase_deadline = None,
            Input::Cork => self.is_corked = true,
            Input::Uncork => {
                self.is_corked = false;
                self.wake_for_output();
            }
            Input::WriteBlocked => {
                self.write_deadline.get_or_insert(now + self.config.write_timeout);
            }
            Input::Close { reason, code } => {
                if self.closing.is_none() {
                    self.close_code = code;
                }
                self.close(reason, now);
            }
            Input::WorkFinished if self.phase == Phase::Finishing => self.finished(now),
            Input::Established | Input::WorkFinished => {}
            Input::PollGone | Input::PostGone if self.polling.is_some() => {
                self.close(CloseReason::TransportClose, now);
            }
            request => self.request(request),
        }
    }

    fn packet(&mut self, packet: &EnginePacket<'_>, now: Instant) {
        match packet {
            EnginePacket::Pong(_) if self.awaits_pong => {
                (self.heartbeat_due, self.awaits_pong) = (now + self.config.ping_interval, false);
            }
            EnginePacket::Close => {
                let is_first = self.closing.is_none();
                self.close(CloseReason::TransportClose, now);
                if is_first && self.polling.is_some() {
                    self.phase_deadline = Some(now + LINGER);
                }
            }
            EnginePacket::Ping(_) => self.close(CloseReason::TransportError, now),
            EnginePacket::Pong(_) | EnginePacket::Upgrade | EnginePacket::Noop | EnginePacket::Message(_) => {
            }
        }
    }

    /// When [`Session::handle_timeout`] is due, if nothing happens before.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => {
                let held_until = self.polling.as_ref().and_then(|polling| polling.held_until);
                let others = [self.phase_deadline, self.write_deadline, held_until];
                Some(others.into_iter().flatten().fold(self.heartbeat_due, Instant::min))
            }
            Phase::Finishing | Phase::Closing => self.phase_deadline,
            Phase::CloseSent | Phase::Ended => None,
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if let Some(polling) = &mut self.polling
            && is_due(polling.held_until)
        {
            polling.held_until = None;
            self.wakes.poll = true;
        }
        match self.phase {
            Phase::Open if is_due(self.write_deadline) => self.close(CloseReason::WriteTimeout, now),
            Phase::Open if is_due(self.phase_deadline) => self.close(CloseReason::ConnectTimeout, now),
            Phase::Open if self.heartbeat_due > now => {}
            Phase::Open if self.awaits_pong => self.close(CloseReason::PingTimeout, now),
            Phase::Open => {
                let timeout = self.config.ping_timeout;
                // Counted from when the ping was due; but a client never pays for a machine that overslept.
                let due = (self.heartbeat_due + timeout).max(now + timeout / 2);
                (self.heartbeat_due, self.awaits_pong) = (due, true);
                self.push(&[Frame::text("2")], usize::MAX);
            }
            Phase::Finishing if is_due(self.phase_deadline) => self.finished(now),
            Phase::Closing if is_due(self.phase_deadline) => self.phase_deadline = None,
            Phase::Finishing | Phase::Closing | Phase::CloseSent | Phase::Ended => {}
        }
    }

    /// What the session's task has to do next, besides writing what waits. Each output comes once, the end until `stop`.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if self.polling.as_ref().is_some_and(|polling| polling.can_upgrade(self.closing.is_some())) {
            let polling = self.polling.take();
            self.refuses_poll = polling.is_some_and(|polling| polling.held_until.is_some());
            self.wake_requests();
            if self.announces_end() {
                // The end goes over the WebSocket now.
                self.phase_deadline = None;
            }
            return Some(Output::Upgrade);
        }
        match (self.phase, self.closing) {
            (Phase::Open, _) | (_, None) => self.polling.as_mut()?.take_body().map(Output::Body),
            (Phase::Finishing, _) => {
                let is_known = std::mem::replace(&mut self.handler, Handler::Finishing) == Handler::Finishing;
                (!is_known).then_some(Output::Finish)
            }
            (Phase::Closing | Phase::CloseSent | Phase::Ended, Some(reason)) => {
                if std::mem::replace(&mut self.handler, Handler::Detached) != Handler::Detached {
                    return Some(Output::Detach(reason));
                }
                let waits = self.phase == Phase::Closing && self.phase_deadline.is_some();
                (!waits).then_some(Output::End(reason))
            }
        }
    }

    /// Takes what waits to be written to the WebSocket; [`Session::written`] has to follow.
    pub(crate) fn take_writes(&mut self) -> VecDeque<Frame> {
        if self.polling.is_some() || self.phase != Phase::Open {
            return VecDeque::new();
        }
        std::mem::take(&mut self.outbox)
    }

    /// The peer took `cost` of the frames of [`Session::take_writes`]. As with [`Session::push`], no time is needed.
    pub(crate) fn written(&mut self, cost: usize) {
        self.queued = self.queued.saturating_sub(cost);
        self.write_deadline = None;
        self.wakes.drained = true;
    }

    /// Nothing more is taken to be sent. Answers what still waits.
    pub(crate) fn stop(&mut self) -> VecDeque<Frame> {
        self.phase = Phase::Ended;
        self.queued = 0;
        self.wake_all();
        std::mem::take(&mut self.outbox)
    }

    /// Whom to wake for what happened since the last call.
    pub(crate) fn take_wakes(&mut self) -> Wakes {
        std::mem::take(&mut self.wakes)
    }

    /// Why the session is to end, if it is.
    pub(crate) fn closing(&self) -> Option<CloseReason> {
        self.closing
    }

    /// The WebSocket close code, where the reason has several.
    pub(crate) fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    /// Whether the transport is HTTP long-polling.
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.is_some()
    }

    /// How many bytes wait to be sent, or are being sent.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// Whether the client may learn of the end.
    pub(super) fn announces_end(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::CloseSent | Phase::Ended)
    }

    pub(super) fn close(&mut self, reason: CloseReason, now: Instant) {
        if self.closing.is_some() {
            return;
        }
        self.closing = Some(reason);
        (self.phase, self.phase_deadline) =
            if reason.flushes() { (Phase::Finishing, Some(now + FINISH)) } else { (Phase::Closing, None) };
        self.wake_all();
    }

    /// More waits than may: a session that ends in order ends at once, too, for a part of what it was to send is gone.
    fn overflow(&mut self) {
        self.outbox = VecDeque::new();
        self.closing = Some(CloseReason::OutboxOverflow);
        (self.phase, self.phase_deadline) = (Phase::Closing, None);
        self.wake_all();
    }

    /// Events in work are finished, or given up: from now on a polling client learns of the end. After a fault only one
    /// that waits for it, or has something to fetch.
    fn finished(&mut self, now: Instant) {
        let is_fault = self.closing.is_some_and(CloseReason::is_fault);
        let is_awaited = |polling: &Polling| !is_fault || polling.is_polled || !self.outbox.is_empty();
        let waits = self.polling.as_ref().is_some_and(|polling| is_awaited(polling));
        (self.phase, self.phase_deadline) = (Phase::Closing, waits.then(|| now + FLUSH));
        self.wake_all();
    }

    fn wake_for_output(&mut self) {
        match &self.polling {
            Some(_) => self.wakes.poll = true,
            None => self.wakes.task = true,
        }
    }

    pub(super) fn wake_requests(&mut self) {
        self.wakes.poll = true;
        self.wakes.post = true;
    }

    fn wake_all(&mut self) {
        if let Some(polling) = &mut self.polling {
            polling.held_until = None;
        }
        self.wakes = Wakes { task: true, poll: true, post: true, drained: true };
    }
}
