//! A session with all that is around it: a client, an application, and a driver that does something only when it was
//! woken. It asserts as it goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::{Input, Output, Request, Response, Session};
use super::waiter::Waiter;
use crate::config::Config;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;

#[expect(clippy::struct_excessive_bools, reason = "each is a fact that a test asks for")]
pub(super) struct World {
    pub(super) session: Session,
    pub(super) now: Instant,
    task: Waiter,
    timer: Option<Instant>,
    /// The client's GET, and its POST once it has sent the body.
    poll: Waiter,
    post: Waiter,
    pub(super) is_receiving_body: bool,
    pub(super) is_probing: bool,
    is_probe_complete: bool,
    pub(super) is_websocket: bool,
    pub(super) is_peer_blocked: bool,
    is_corked: bool,
    /// Frames that are being written to the WebSocket.
    writing: VecDeque<Frame>,
    pub(super) body_in_work: bool,
    pub(super) is_finishing: bool,
    is_detached: bool,
    /// Whether the client was sent the end over polling.
    is_end_sent: bool,
    pub(super) ended: Option<CloseReason>,
    /// Numbers of the frames that the session took, that it refused first, and that the client got.
    pushed: u64,
    refused: Option<u64>,
    pub(super) received: u64,
    bodies_given: u64,
    pub(super) bodies_taken: u64,
    pub(super) is_upgraded: bool,
}

pub(super) fn config() -> Arc<Config> {
    Arc::new(Config { outbox_limit: 4000, ..Config::default() })
}

impl World {
    pub(super) fn new(is_polling: bool) -> Self {
        let now = Instant::now();
        let mut world = Self {
            session: Session::new(config(), is_polling, now),
            now,
            task: Waiter::Woken,
            timer: None,
            poll: Waiter::None,
            post: Waiter::None,
            is_receiving_body: false,
            is_probing: false,
            is_probe_complete: false,
            is_websocket: !is_polling,
            is_peer_blocked: false,
            is_corked: false,
            writing: VecDeque::new(),
            body_in_work: false,
            is_finishing: false,
            is_detached: false,
            is_end_sent: false,
            ended: None,
            pushed: 0,
            refused: None,
            received: 0,
            bodies_given: 0,
            bodies_taken: 0,
            is_upgraded: false,
        };
        world.settle();
        world
    }

    /// Notes who is woken.
    fn look(&mut self) {
        let wakes = self.session.take_wakes();
        for (is_woken, waiter) in
            [(wakes.task, &mut self.task), (wakes.poll, &mut self.poll), (wakes.post, &mut self.post)]
        {
            if is_woken {
                waiter.wake();
            }
        }
        assert!(self.session.queued() <= 4000, "the outbox is bounded");
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.session.handle(input, self.now);
        self.look();
    }

    pub(super) fn close(&mut self, reason: CloseReason) {
        self.input(Input::Close { reason, code: None });
    }

    pub(super) fn push(&mut self, count: usize, limit: usize) {
        let frames: Vec<_> = (self.pushed..).take(count).map(|n| Frame::text(&format!("4{n}"))).collect();
        let before = self.session.queued();
        self.session.push(&frames, limit);
        if self.session.queued() > before {
            assert_eq!(self.refused, None, "frames are taken behind a gap");
            self.pushed += count as u64;
        } else {
            assert!(self.session.closing().is_some(), "an open session refuses frames");
            self.refused = Some(self.pushed);
        }
        self.look();
    }

    pub(super) fn cork(&mut self, is_corked: bool) {
        self.is_corked = is_corked;
        self.input(if is_corked { Input::Cork } else { Input::Uncork });
    }

    pub(super) fn begin_poll(&mut self) {
        let is_first = self.poll == Waiter::None;
        let begun = self.session.begin(Request::Poll, self.now);
        assert!(
            begun.is_err() || is_first && !self.is_end_sent && !self.is_websocket,
            "a GET too many is taken"
        );
        match begun {
            Ok(()) => self.poll = Waiter::Woken,
            Err(_) if !is_first && !self.is_websocket => assert!(self.session.closing().is_some()),
            Err(_) => {}
        }
        self.look();
    }

    pub(super) fn begin_poll_if_none(&mut self) {
        if self.poll == Waiter::None {
            self.begin_poll();
        }
    }

    pub(super) fn begin_post(&mut self) {
        let is_first = self.post == Waiter::None && !self.is_receiving_body;
        let begun = self.session.begin(Request::Post, self.now);
        assert!(begun.is_err() || is_first && !self.is_websocket, "a POST too many is taken");
        self.is_receiving_body |= begun.is_ok();
        self.look();
    }

    pub(super) fn has_post(&self) -> bool {
        self.post != Waiter::None || self.is_receiving_body
    }

    pub(super) fn begin_probe(&mut self) {
        let begun = self.session.begin(Request::Probe, self.now);
        assert!(begun.is_err() || !self.is_probing && !self.is_websocket, "two WebSockets probe");
        self.is_probing |= begun.is_ok();
        self.look();
    }

    pub(super) fn send_body(&mut self) {
        self.is_receiving_body = false;
        self.post = Waiter::Woken;
        self.bodies_given += 1;
        self.input(Input::PostBody(Bytes::from(self.bodies_given.to_string())));
    }

    pub(super) fn cancel_post(&mut self, input: Input<'_>) {
        self.is_receiving_body = false;
        self.input(input);
    }

    pub(super) fn give_up_poll(&mut self) {
        if self.poll != Waiter::None {
            self.poll = Waiter::None;
            self.input(Input::PollGone);
            assert!(self.is_websocket || self.session.closing().is_some());
        }
    }

    pub(super) fn complete_probe(&mut self) {
        if self.is_probing && self.session.closing().is_none() {
            self.is_probe_complete = true;
            self.input(Input::ProbeCompleted);
        }
    }

    pub(super) fn give_up_probe(&mut self) {
        if self.is_probing && !self.is_probe_complete {
            self.is_probing = false;
            self.input(Input::ProbeGone);
        }
    }

    pub(super) fn take_body(&mut self) {
        if std::mem::take(&mut self.body_in_work) && !self.is_finishing {
            self.bodies_taken += 1;
            self.input(Input::BodyTaken);
        }
    }

    pub(super) fn finish_work(&mut self) {
        if self.is_finishing {
            self.input(Input::WorkFinished);
        }
    }

    /// Lets time pass; the task's timer is as late as the step is long.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.ended.is_none() && self.timer.take_if(|due| *due <= self.now).is_some() {
            self.session.handle_timeout(self.now);
            self.task = Waiter::Woken;
            self.look();
        }
    }

    /// Lets time pass until the timer is due; `false` if it is not set.
    pub(super) fn pass_to_deadline(&mut self) -> bool {
        let due = self.timer;
        if let Some(due) = due {
            self.pass(due.saturating_duration_since(self.now));
        }
        due.is_some()
    }

    /// What the session's task does once it is woken.
    pub(super) fn run_task(&mut self) {
        if self.task != Waiter::Woken || self.ended.is_some() {
            return;
        }
        self.task = Waiter::Waits;
        while let Some(output) = self.session.poll_output() {
            self.look();
            match output {
                Output::Body(body) => {
                    assert!(!self.is_websocket && !self.body_in_work && !self.is_finishing);
                    assert_eq!(body, self.bodies_given.to_string(), "a body comes twice, or not at all");
                    self.body_in_work = true;
                }
                Output::Upgrade => {
                    assert!(!self.is_websocket && self.is_probing);
                    let is_closing = self.session.closing().is_some();
                    assert!(
                        is_closing || self.bodies_taken == self.bodies_given,
                        "a body is overtaken by the upgrade"
                    );
                    (self.is_websocket, self.is_probing, self.is_upgraded) = (true, false, true);
                }
                Output::Finish => {
                    assert!(!self.is_finishing && !self.is_detached);
                    self.is_finishing = true;
                }
                Output::Detach(_) => {
                    assert!(!self.is_detached, "the handler is notified twice");
                    (self.is_finishing, self.is_detached) = (true, true);
                }
                Output::End(reason) => return self.end(reason),
            }
        }
        if self.is_websocket {
            self.write();
        }
        // Only a nearer deadline is set at once.
        self.timer = self.timer.into_iter().chain(self.session.poll_timeout()).min();
    }

    fn write(&mut self) {
        loop {
            if self.is_peer_blocked {
                return self.input(Input::WriteBlocked);
            }
            let writing = std::mem::take(&mut self.writing);
            let cost = writing.iter().map(Frame::cost).sum();
            self.receive(&writing);
            self.session.written(cost);
            self.writing = self.session.take_writes();
            self.look();
            if self.writing.is_empty() {
                return;
            }
        }
    }

    pub(super) fn unblock_peer(&mut self) {
        self.is_peer_blocked = false;
        // The socket wakes the task.
        self.task.wake();
    }

    fn end(&mut self, reason: CloseReason) {
        assert!(self.is_detached, "the handler was not notified");
        self.ended = Some(reason);
        let unsent = self.session.stop();
        self.look();
        assert_eq!(self.session.queued(), 0);
        assert!(self.session.poll_timeout().is_none());
        if self.is_websocket && reason.flushes() {
            let writing = std::mem::take(&mut self.writing);
            self.receive(&writing);
            self.receive(&unsent);
        }
        let is_told = self.is_websocket && reason.flushes() || reason.is_orderly() && self.is_end_sent;
        assert!(!is_told || self.has_all(), "the end goes before what waits");
    }

    /// What the GET does once it is woken.
    pub(super) fn run_poll(&mut self) {
        if self.poll != Waiter::Woken {
            return;
        }
        let response = self.session.take_response();
        self.poll = if response.is_some() { Waiter::None } else { Waiter::Waits };
        self.look();
        match response {
            None => {}
            Some(Response::Frames(frames)) => {
                assert!(!self.is_websocket && !frames.is_empty() && !self.is_corked && !self.is_end_sent);
                self.receive(&frames);
            }
            Some(Response::BadRequest) => assert!(self.is_websocket),
            Some(Response::Noop) if self.session.closing() != Some(CloseReason::TransportClose) => {
                assert!(self.is_websocket || self.is_probing, "a GET is answered without a reason");
            }
            Some(Response::Noop | Response::Close | Response::UnknownSession) => {
                assert!(self.session.closing().is_some());
                self.is_end_sent = true;
            }
        }
    }

    /// Whether the client got all that the session took.
    pub(super) fn has_all(&self) -> bool {
        self.received == self.pushed
    }

    /// What the POST does once it is woken.
    pub(super) fn run_post(&mut self) {
        if self.post != Waiter::Woken {
            return;
        }
        let result = self.session.take_post_result();
        self.post = if result.is_some() { Waiter::None } else { Waiter::Waits };
        self.look();
        if result == Some(Ok(())) && self.session.closing().is_none() {
            assert_eq!(self.bodies_taken, self.bodies_given, "a POST is answered before it was looked at");
        }
    }

    fn receive(&mut self, frames: &VecDeque<Frame>) {
        for frame in frames {
            let text = std::str::from_utf8(frame.payload()).unwrap();
            if text != "2" {
                assert_eq!(text, format!("4{}", self.received), "lost, doubled or out of order");
                self.received += 1;
            }
        }
    }

    /// Everybody who was woken does what there is to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..100 {
            self.run_task();
            self.run_poll();
            self.run_post();
            self.take_body();
            if [&self.task, &self.poll, &self.post].iter().all(|waiter| **waiter != Waiter::Woken)
                || self.ended.is_some() && self.poll != Waiter::Woken && self.post != Waiter::Woken
            {
                return self.assert_settled();
            }
        }
        panic!("it never comes to rest");
    }

    /// Nobody sleeps who has something to do.
    fn assert_settled(&self) {
        if self.ended.is_some() {
            let waits = self.poll != Waiter::None || self.post != Waiter::None;
            assert!(!waits, "a request waits for the dead: {:?}", self.session);
        } else if self.session.closing().is_none() {
            assert!(self.post == Waiter::None, "a POST was forgotten");
            assert!(self.timer <= self.session.poll_timeout(), "a deadline was forgotten");
            let can_flow = if self.is_websocket {
                !self.is_peer_blocked
            } else {
                self.poll != Waiter::None && !self.is_corked
            };
            assert!(!can_flow || self.session.queued() == 0 || self.is_probing, "what waits was forgotten");
        }
    }
}
