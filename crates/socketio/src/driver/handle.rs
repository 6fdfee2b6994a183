//! A session as all see it: anyone may push frames into it or ask it to close; its own task does the rest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::driver::shared::Shared;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::opening::Opening;
use crate::engine::session::{Input, Output, Refused, Request, Response, Session};
use crate::log_id::LogId;
use crate::websocket::WebSocket;

/// A session, its lock, and the wakers of who waits for it.
pub(crate) struct SessionHandle {
    pub(crate) sid: Box<str>,
    pub(crate) opening: Opening,
    pub(crate) shared: Arc<Shared>,
    /// Events that handlers have not finished.
    in_flight: AtomicU32,
    locked: Mutex<Locked>,
}

/// What is behind the session's lock. Nothing is called under it but wakers.
struct Locked {
    session: Session,
    task: Option<Waker>,
    /// Whether `task` was woken since the task last looked.
    is_notified: bool,
    /// Waits until less waits to be sent.
    drained: Option<Waker>,
    /// Present while the transport is HTTP long-polling.
    requests: Option<Box<Requests>>,
}

#[derive(Default)]
struct Requests {
    poll: Option<Waker>,
    post: Option<Waker>,
    /// A WebSocket that has probed, until the session's task takes it.
    upgraded: Option<Box<WebSocket>>,
}

impl SessionHandle {
    pub(crate) fn new(sid: Box<str>, opening: Opening, shared: Arc<Shared>, is_polling: bool) -> Arc<Self> {
        let session = Session::new(Arc::clone(&shared.config), is_polling, Instant::now().into_std());
        let requests = is_polling.then(Box::default);
        let locked = Locked { session, task: None, is_notified: false, drained: None, requests };
        Arc::new(Self { sid, opening, shared, in_flight: AtomicU32::new(0), locked: Mutex::new(locked) })
    }

    /// Names the session in the log.
    pub(crate) fn log_id(&self) -> LogId {
        LogId::of(&self.sid)
    }

    /// Queues frames, all of them or none; see [`Session::push`].
    pub(crate) fn push(&self, frames: &[Frame]) {
        if self.opening.is_text_only && frames.iter().any(Frame::is_binary) {
            let frames: Vec<Frame> = frames.iter().map(Frame::in_text_form).collect();
            self.push_as_they_are(&frames);
        } else {
            self.push_as_they_are(frames);
        }
    }

    fn push_as_they_are(&self, frames: &[Frame]) {
        let limit = self.shared.waiting.share(self.shared.open_sessions());
        self.with(|session| session.push(frames, limit));
    }

    /// Asks the session to end. The first reason counts.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.handle(Input::Close { reason, code: None });
    }

    /// Why the session is to end, if it is.
    pub(crate) fn closing(&self) -> Option<CloseReason> {
        self.locked.lock().session.closing()
    }

    /// Takes in what happens now.
    pub(crate) fn handle(&self, input: Input<'_>) {
        let now = Instant::now().into_std();
        self.with(|session| session.handle(input, now));
    }

    /// Takes a request, or refuses it.
    pub(crate) fn begin(&self, request: Request) -> Result<(), Refused> {
        let now = Instant::now().into_std();
        self.with(|session| session.begin(request, now))
    }

    /// The WebSocket that probes has sent the upgrade packet: it takes over when the session's task says so.
    pub(crate) fn complete_probe(&self, websocket: WebSocket) {
        if let Some(requests) = &mut self.locked.lock().requests {
            requests.upgraded = Some(Box::new(websocket));
        }
        self.handle(Input::ProbeCompleted);
    }

    /// Does something to the session, then wakes whom it concerns.
    pub(crate) fn with<T>(&self, action: impl FnOnce(&mut Session) -> T) -> T {
        let mut locked = self.locked.lock();
        let before = locked.session.queued();
        let result = action(&mut locked.session);
        self.shared.waiting.change(before, locked.session.queued());
        locked.wake();
        result
    }

    /// What the session's task has to do next; with `None` it will be woken when there is more.
    pub(crate) fn poll_output(&self, cx: &Context<'_>) -> Option<Output> {
        let mut locked = self.locked.lock();
        locked.is_notified = false;
        if !locked.task.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            locked.task = Some(cx.waker().clone());
        }
        let output = locked.session.poll_output();
        locked.wake();
        output
    }

    /// The WebSocket to which the session is upgraded.
    pub(crate) fn take_upgraded(&self) -> Option<Box<WebSocket>> {
        self.locked.lock().requests.take()?.upgraded
    }

    /// The answer to the GET, once there is one.
    pub(crate) fn poll_response(&self, cx: &Context<'_>) -> Poll<Response> {
        let mut locked = self.locked.lock();
        let before = locked.session.queued();
        let response = locked.session.take_response();
        self.shared.waiting.change(before, locked.session.queued());
        if let (None, Some(requests)) = (&response, &mut locked.requests) {
            requests.poll = Some(cx.waker().clone());
        }
        locked.wake();
        response.map_or(Poll::Pending, Poll::Ready)
    }

    /// The answer to the POST whose body was given, once there is one: the reason, if the session ended over it.
    pub(crate) fn poll_post(&self, cx: &Context<'_>) -> Poll<Result<(), CloseReason>> {
        let mut locked = self.locked.lock();
        let result = locked.session.take_post_result();
        if let (None, Some(requests)) = (&result, &mut locked.requests) {
            requests.post = Some(cx.waker().clone());
        }
        locked.wake();
        result.map_or(Poll::Pending, Poll::Ready)
    }

    /// Ready once no more than `limit` bytes wait to be sent, with `true`; or the session ends, with `false`.
    pub(crate) fn poll_drained(&self, cx: &Context<'_>, limit: usize) -> Poll<bool> {
        let mut locked = self.locked.lock();
        if locked.session.closing().is_some() {
            return Poll::Ready(false);
        }
        if locked.session.queued() <= limit {
            return Poll::Ready(true);
        }
        locked.drained = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Notes that the peer took `written` of what was given to be written, and takes what waits now.
    pub(crate) fn next_writes(&self, written: Option<usize>) -> VecDeque<Frame> {
        self.with(|session| {
            if let Some(cost) = written {
                session.written(cost);
            }
            session.take_writes()
        })
    }

    /// Notes that the peer took `written` of what was given to be written, and takes no more now.
    pub(crate) fn write_blocked(&self, written: Option<usize>) {
        let now = Instant::now().into_std();
        self.with(|session| {
            if let Some(cost) = written {
                session.written(cost);
            }
            session.handle(Input::WriteBlocked, now);
        });
    }

    /// Nothing more is taken to be sent, and the task is woken no more. Answers what still waits.
    pub(crate) fn stop(&self) -> VecDeque<Frame> {
        let waiting = self.with(Session::stop);
        self.locked.lock().task = None;
        waiting
    }

    /// Whether the transport is HTTP long-polling, and how many bytes wait to be sent.
    pub(crate) fn statistics(&self) -> (bool, usize) {
        let locked = self.locked.lock();
        (locked.session.is_polling(), locked.session.queued())
    }

    /// How many events are in work.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.shared.waiting.change(self.locked.get_mut().session.queued(), 0);
    }
}

impl Locked {
    /// Wakes whom the last change of the session concerns; the task once until it looks.
    fn wake(&mut self) {
        let wakes = self.session.take_wakes();
        if wakes.task {
            self.wake_task();
        }
        if wakes.drained
            && let Some(waker) = self.drained.take()
        {
            waker.wake();
        }
        if let Some(requests) = &mut self.requests {
            if wakes.poll
                && let Some(waker) = requests.poll.take()
            {
                waker.wake();
            }
            if wakes.post
                && let Some(waker) = requests.post.take()
            {
                waker.wake();
            }
        }
    }

    fn wake_task(&mut self) {
        if !self.is_notified
            && let Some(waker) = &self.task
        {
            self.is_notified = true;
            waker.wake_by_ref();
        }
    }
}

/// An event that is in work; ends when it is dropped.
pub(crate) struct InFlight(Arc<SessionHandle>);

impl InFlight {
    pub(crate) fn begin(session: &Arc<SessionHandle>) -> Self {
        session.in_flight.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(session))
    }

    pub(crate) fn session(&self) -> &SessionHandle {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let before = self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        if before == 1 || before >= self.0.shared.config.max_in_flight {
            let mut locked = self.0.locked.lock();
            // The task reads on, or finishes.
            if before > 1 || locked.session.closing().is_some() {
                locked.wake_task();
            }
        }
    }
}
