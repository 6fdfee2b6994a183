//! What all may know of one Engine.IO session: its outbox, and how to wake or close it. The task that
//! runs it is in [`crate::driver::connection`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::driver::polling::Polling;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::http::opening::Opening;
use crate::log_id::LogId;
use crate::server::Shared;
use crate::websocket::WebSocket;

/// A session. Anyone may push frames into it or ask it to close; its own task does the rest.
pub(crate) struct Session {
    pub(crate) sid: Box<str>,
    pub(crate) opening: Opening,
    pub(crate) server: Arc<Shared>,
    /// Events that handlers have not finished.
    in_flight: AtomicU32,
    /// Whether the client is in a namespace, and may send more.
    is_established: AtomicBool,
    state: Mutex<State>,
}

/// What is behind the session's lock. Nothing is called under it but wakers.
#[derive(Default)]
pub(crate) struct State {
    outbox: VecDeque<Frame>,
    /// The cost of what is in `outbox` or being written.
    bytes: usize,
    /// Wakes the session's task.
    waker: Option<Waker>,
    /// Wakes who waits until less waits to be sent.
    drained: Option<Waker>,
    /// Whether `waker` was called since the task last looked.
    notified: bool,
    /// Holds back polling responses while a client is let into a namespace.
    corked: bool,
    /// Why the session is to end, or has.
    closing: Option<CloseReason>,
    phase: Phase,
    /// Until when the client has to answer a ping.
    pong_deadline: Option<Instant>,
    /// Present while the transport is HTTP long-polling.
    pub(crate) polling: Option<Box<Polling>>,
}

/// How far a session is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Open, or closing while its events in work are done.
    #[default]
    Open,
    /// The client may be told that it ends.
    Farewell,
    /// A polling client was told.
    Told,
    /// Nothing is sent any more.
    Ended,
}

/// What the task finds when it looks.
pub(crate) struct Turn {
    pub(crate) closing: Option<CloseReason>,
    /// A WebSocket to which the session has been upgraded.
    pub(crate) upgraded: Option<Box<WebSocket>>,
    /// The body of a POST to be worked through.
    pub(crate) body: Option<Bytes>,
}

impl Session {
    /// Names the session in the log.
    pub(crate) fn log_id(&self) -> LogId {
        LogId::of(&self.sid)
    }

    pub(crate) fn new(sid: Box<str>, opening: Opening, server: Arc<Shared>, polling: bool) -> Arc<Self> {
        let state = State { polling: polling.then(Box::default), ..State::default() };
        let (in_flight, is_established) = (AtomicU32::new(0), AtomicBool::new(false));
        Arc::new(Self { sid, opening, server, in_flight, is_established, state: Mutex::new(state) })
    }

    /// The client is in a namespace.
    pub(crate) fn establish(&self) {
        self.is_established.store(true, Ordering::Release);
    }

    /// How many bytes a message of the client may have.
    pub(crate) fn max_payload(&self) -> usize {
        let config = &self.server.config;
        if self.is_established.load(Ordering::Acquire) {
            config.max_payload
        } else {
            config.max_payload.min(config.max_payload_before_connect)
        }
    }

    /// Queues frames, all of them or none. A session that can't take them is closed: never a silent gap.
    pub(crate) fn push(&self, frames: &[Frame]) {
        if self.opening.is_text_only && frames.iter().any(Frame::is_binary) {
            let frames: Vec<Frame> = frames.iter().map(Frame::in_text_form).collect();
            self.push_as_they_are(&frames);
        } else {
            self.push_as_they_are(frames);
        }
    }

    fn push_as_they_are(&self, frames: &[Frame]) {
        let mut state = self.state.lock();
        // A session that closes in order still sends what its events in work lead to.
        if state.phase == Phase::Ended || state.closing.is_some_and(|reason| !reason.flushes()) {
            return;
        }
        let cost: usize = frames.iter().map(Frame::cost).sum();
        let bytes = state.bytes + cost;
        if bytes > self.server.config.outbox_limit
            || self.server.waiting.is_over_share(bytes, self.server.open_sessions())
        {
            state.outbox = VecDeque::new();
            state.close(CloseReason::OutboxOverflow);
            return;
        }
        self.set_bytes(&mut state, bytes);
        state.outbox.extend(frames.iter().cloned());
        state.wake_for_output();
    }

    /// So many bytes wait to be sent, or are being sent.
    fn set_bytes(&self, state: &mut State, bytes: usize) {
        self.server.waiting.change(state.bytes, bytes);
        state.bytes = bytes;
    }

    /// Asks the session to end. The first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.state.lock().close(reason);
    }

    /// Why the session is to end, if it is.
    pub(crate) fn closing(&self) -> Option<CloseReason> {
        self.state.lock().closing
    }

    /// Sends a ping and notes until when its answer is due; `None` notes that it has come.
    pub(crate) fn expect_pong(&self, deadline: Option<Instant>) {
        self.state.lock().pong_deadline = deadline;
        if deadline.is_some() {
            self.push(std::slice::from_ref(&self.server.ping));
        }
    }

    /// Whether the time for a pong is over, also if the session's timer is a little late.
    pub(crate) fn is_overdue(&self) -> bool {
        self.state.lock().pong_deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Holds back polling responses until [`Session::uncork`].
    pub(crate) fn cork(&self) {
        self.state.lock().corked = true;
    }

    /// Lets polling responses go.
    pub(crate) fn uncork(&self) {
        let mut state = self.state.lock();
        state.corked = false;
        if !state.outbox.is_empty() {
            state.wake_for_output();
        }
    }

    /// The task looks what there is to do, and will be woken when there is more.
    pub(crate) fn turn(&self, cx: &Context<'_>) -> Turn {
        let mut state = self.state.lock();
        state.notified = false;
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        let mut turn = Turn { closing: state.closing, upgraded: None, body: None };
        if let Some(polling) = &mut state.polling {
            turn.body = polling.take_body();
            // What came by POST was sent before the upgrade, so it goes first.
            if turn.body.is_none() && !polling.is_body_in_work() {
                turn.upgraded = polling.take_upgrade();
            }
            if turn.upgraded.is_some() {
                polling.wake();
                state.polling = None;
            }
        }
        turn
    }

    /// Takes what waits to be sent; [`Session::sent`] has to follow when it is gone.
    pub(crate) fn take_outbox(&self) -> VecDeque<Frame> {
        std::mem::take(&mut self.state.lock().outbox)
    }

    /// Frames that cost so much have left.
    pub(crate) fn sent(&self, cost: usize) {
        let mut state = self.state.lock();
        let bytes = state.bytes.saturating_sub(cost);
        self.set_bytes(&mut state, bytes);
        state.wake_drained();
    }

    /// Ready once no more than `limit` bytes wait to be sent, with `true`; or the session ends, with `false`.
    pub(crate) fn poll_drained(&self, cx: &Context<'_>, limit: usize) -> Poll<bool> {
        let mut state = self.state.lock();
        if state.closing.is_some() || state.phase == Phase::Ended {
            return Poll::Ready(false);
        }
        if state.bytes <= limit {
            return Poll::Ready(true);
        }
        state.drained = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Takes what waits, for a polling response. Empty if there is nothing, or it is held back.
    pub(crate) fn take_for_response(&self, state: &mut MutexGuard<'_, State>) -> VecDeque<Frame> {
        if state.corked {
            return VecDeque::new();
        }
        let frames = std::mem::take(&mut state.outbox);
        self.set_bytes(state, 0);
        state.wake_drained();
        frames
    }

    /// Ready once no event is in work.
    pub(crate) fn poll_idle(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        state.notified = false;
        state.waker = Some(cx.waker().clone());
        drop(state);
        if self.in_flight() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// From now on a polling client is told that the session ends. After a fault only one that waits for it, or has
    /// something to fetch: `false` if that is not so, and the session may end at once.
    pub(crate) fn bid_farewell(&self) -> bool {
        let mut state = self.state.lock();
        let is_fault = state.closing.is_some_and(CloseReason::is_fault);
        let is_owed =
            !state.outbox.is_empty() || state.polling.as_ref().is_some_and(|polling| polling.is_polled());
        if is_fault && !is_owed {
            return false;
        }
        state.phase = Phase::Farewell;
        if let Some(polling) = &mut state.polling {
            polling.wake();
        }
        true
    }

    /// Ready once a polling client was told that the session ends, and so has all that waited for it.
    pub(crate) fn poll_told(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        state.notified = false;
        if state.phase == Phase::Told {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether a polling client was told that the session ends: from then on it is unknown, though its task may need a
    /// moment to forget it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Told | Phase::Ended)
    }

    /// Nothing more is taken to be sent; wakes who waits for the end. Answers what still waits to be sent.
    pub(crate) fn stop(&self, reason: CloseReason) -> VecDeque<Frame> {
        let mut state = self.state.lock();
        state.close(reason);
        state.phase = Phase::Ended;
        self.set_bytes(&mut state, 0);
        state.waker = None;
        state.wake_drained();
        if let Some(polling) = &mut state.polling {
            polling.wake();
        }
        std::mem::take(&mut state.outbox)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether the transport is HTTP long-polling, and how many bytes wait to be sent.
    pub(crate) fn statistics(&self) -> (bool, usize) {
        let state = self.state.lock();
        (state.polling.is_some(), state.bytes)
    }

    /// How many events are in work.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.server.waiting.change(self.state.get_mut().bytes, 0);
    }
}

impl State {
    /// Why the session ends, once the client may be told.
    pub(crate) fn farewell(&self) -> Option<CloseReason> {
        self.closing.filter(|_| self.phase != Phase::Open)
    }

    /// The client is being told that the session ends.
    pub(crate) fn told(&mut self) {
        if self.phase == Phase::Farewell {
            self.phase = Phase::Told;
            self.wake();
            if let Some(polling) = &mut self.polling {
                polling.wake();
            }
        }
    }

    /// Why a POST gets no answer but the end of the session. In an orderly end the client learns of it by its
    /// GET, with all that waited: an error before that would make it give up on what is on its way.
    pub(crate) fn refuses_posts(&self) -> Option<CloseReason> {
        self.farewell()
            .filter(|reason| !reason.is_orderly() || matches!(self.phase, Phase::Told | Phase::Ended))
    }

    /// Wakes the session's task, once until it looks.
    pub(crate) fn wake(&mut self) {
        if !self.notified
            && let Some(waker) = &self.waker
        {
            self.notified = true;
            waker.wake_by_ref();
        }
    }

    fn wake_drained(&mut self) {
        if let Some(waker) = self.drained.take() {
            waker.wake();
        }
    }

    fn wake_for_output(&mut self) {
        match &mut self.polling {
            Some(polling) => polling.wake_poll(),
            None => self.wake(),
        }
    }

    fn close(&mut self, reason: CloseReason) {
        if self.closing.is_none() {
            self.closing = Some(reason);
            self.wake_drained();
            if !reason.flushes() {
                self.phase = Phase::Farewell;
            }
            self.notified = false;
        }
        self.wake();
        if let Some(polling) = &mut self.polling {
            polling.wake();
        }
    }
}

/// An event that is in work; ends when it is dropped.
pub(crate) struct InFlight(Arc<Session>);

impl InFlight {
    pub(crate) fn begin(session: &Arc<Session>) -> Self {
        session.in_flight.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(session))
    }

    pub(crate) fn session(&self) -> &Session {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let before = self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        if before == 1 || before >= self.0.server.config.max_in_flight {
            let mut state = self.0.state.lock();
            if before > 1 || state.closing.is_some() {
                state.wake();
            }
        }
    }
}
