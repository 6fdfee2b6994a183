//! Orders that are known to be hard, one by one.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::super::{Input, Output, Refused, Request, Response, Session};
use super::world::config;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::packet::EnginePacket;

fn polling() -> (Session, Instant) {
    let now = Instant::now();
    (Session::new(config(), true, now), now)
}

fn websocket() -> (Session, Instant) {
    let now = Instant::now();
    let mut session = Session::new(config(), false, now);
    session.handle(Input::Established, now);
    (session, now)
}

fn texts(frames: impl IntoIterator<Item = Frame>) -> Vec<String> {
    frames.into_iter().map(|frame| String::from_utf8(frame.payload().to_vec()).unwrap()).collect()
}

fn close(session: &mut Session, reason: CloseReason, now: Instant) {
    session.handle(Input::Close { reason, code: None }, now);
}

/// Works through outputs that need nothing of the driver; answers the first other one.
fn next_output(session: &mut Session, now: Instant) -> Option<Output> {
    loop {
        match session.poll_output()? {
            Output::Finish => session.handle(Input::WorkFinished, now),
            Output::Detach(_) => {}
            other => return Some(other),
        }
    }
}

fn ended(session: &mut Session, now: Instant) -> Option<CloseReason> {
    match next_output(session, now) {
        Some(Output::End(reason)) => Some(reason),
        _ => None,
    }
}

#[test]
fn two_polls_at_once_close_the_session() {
    let (mut session, now) = polling();
    assert_eq!(session.begin(Request::Poll, now), Ok(()));
    assert!(session.take_response().is_none());
    assert_eq!(session.begin(Request::Poll, now), Err(Refused::BadRequest));
    assert_eq!(session.closing(), Some(CloseReason::TransportError));
    assert!(ended(&mut session, now).is_none(), "the first is yet to be answered");
    assert!(session.take_wakes().poll);
    assert!(matches!(session.take_response(), Some(Response::Close)));
    assert_eq!(session.begin(Request::Poll, now), Err(Refused::UnknownSession));
    assert_eq!(ended(&mut session, now), Some(CloseReason::TransportError));
}

#[test]
fn an_upgrade_waits_for_the_body_that_was_sent_before() {
    let (mut session, now) = polling();
    session.begin(Request::Post, now).unwrap();
    session.begin(Request::Probe, now).unwrap();
    session.handle(Input::Probed, now);
    session.handle(Input::ProbeCompleted, now);
    assert!(session.poll_output().is_none(), "the body is still on its way");
    session.handle(Input::PostBody(Bytes::from("4a")), now);
    assert!(session.take_wakes().task);
    assert!(matches!(session.poll_output(), Some(Output::Body(body)) if body == "4a"));
    assert!(session.poll_output().is_none(), "the body is in work");
    session.push(&[Frame::text("4b")], usize::MAX);
    session.handle(Input::BodyTaken, now);
    assert!(session.take_wakes().task);
    assert!(matches!(session.poll_output(), Some(Output::Upgrade)));
    assert_eq!(session.take_post_result(), Some(Ok(())));
    assert_eq!(texts(session.take_writes()), ["4b"], "what waits goes over the new transport");
    assert_eq!(session.begin(Request::Poll, now), Err(Refused::BadRequest));
    assert_eq!(session.begin(Request::Probe, now), Err(Refused::BadRequest));
}

#[test]
fn a_poll_that_comes_behind_the_probe_waits_a_moment_for_the_upgrade() {
    let hold = Duration::from_millis(20);
    let probed = || {
        let (mut session, now) = polling();
        session.begin(Request::Poll, now).unwrap();
        session.begin(Request::Probe, now).unwrap();
        session.handle(Input::Probed, now);
        assert!(
            matches!(session.take_response(), Some(Response::Noop)),
            "the one before it is let go at once"
        );
        session.begin(Request::Poll, now).unwrap();
        assert!(session.take_wakes().task && session.take_response().is_none());
        assert_eq!(session.poll_timeout(), Some(now + hold));
        (session, now)
    };
    let (mut session, now) = probed();
    session.handle(Input::ProbeCompleted, now);
    assert!(matches!(session.poll_output(), Some(Output::Upgrade)));
    assert!(session.take_wakes().poll && matches!(session.take_response(), Some(Response::BadRequest)));

    let (mut session, now) = probed();
    session.handle_timeout(now + hold);
    assert!(session.take_wakes().poll && matches!(session.take_response(), Some(Response::Noop)));

    let (mut session, now) = probed();
    session.push(&[Frame::text("4a")], usize::MAX);
    assert!(matches!(session.take_response(), Some(Response::Frames(_))), "what waits is not held");
    assert!(session.poll_timeout() > Some(now + hold));

    let (mut session, now) = probed();
    session.handle(Input::ProbeGone, now);
    session.handle_timeout(now + hold);
    assert!(session.take_response().is_none(), "without a probe it waits as any other");
}

#[test]
fn a_close_during_an_upgrade_goes_over_the_websocket() {
    let (mut session, now) = polling();
    session.begin(Request::Post, now).unwrap();
    session.begin(Request::Probe, now).unwrap();
    session.handle(Input::ProbeCompleted, now);
    session.push(&[Frame::text("4a")], usize::MAX);
    close(&mut session, CloseReason::Shutdown, now);
    assert!(matches!(next_output(&mut session, now), Some(Output::Upgrade)));
    assert_eq!(ended(&mut session, now), Some(CloseReason::Shutdown));
    assert_eq!(texts(session.stop()), ["4a"]);
}

#[test]
fn an_end_in_order_waits_for_events_in_work_then_for_the_client() {
    let (mut session, now) = polling();
    close(&mut session, CloseReason::ServerDisconnect, now);
    assert!(matches!(session.poll_output(), Some(Output::Finish)));
    session.begin(Request::Poll, now).unwrap();
    assert!(session.take_response().is_none(), "the client does not know yet");
    session.push(&[Frame::text("4a")], usize::MAX);
    assert!(
        matches!(session.take_response(), Some(Response::Frames(frames)) if texts(frames.clone()) == ["4a"])
    );
    session.push(&[Frame::text("4b")], usize::MAX);
    session.handle(Input::WorkFinished, now);
    assert!(matches!(session.poll_output(), Some(Output::Detach(CloseReason::ServerDisconnect))));
    assert!(session.poll_output().is_none());
    session.begin(Request::Poll, now).unwrap();
    assert!(
        matches!(session.take_response(), Some(Response::Frames(frames)) if texts(frames.clone()) == ["4b"])
    );
    session.begin(Request::Poll, now).unwrap();
    assert!(matches!(session.take_response(), Some(Response::Close)));
    assert_eq!(ended(&mut session, now), Some(CloseReason::ServerDisconnect));
}

#[test]
fn an_end_in_order_does_not_wait_for_ever() {
    let (mut session, now) = polling();
    close(&mut session, CloseReason::Shutdown, now);
    assert!(matches!(session.poll_output(), Some(Output::Finish)));
    let later = session.poll_timeout().unwrap();
    assert_eq!(later - now, Duration::from_secs(5));
    session.handle_timeout(later);
    assert!(ended(&mut session, later).is_none());
    let last = session.poll_timeout().unwrap();
    assert_eq!(last - later, Duration::from_secs(5));
    session.handle_timeout(last);
    assert_eq!(ended(&mut session, last), Some(CloseReason::Shutdown));
}

#[test]
fn a_session_that_its_client_closed_lingers_for_the_poll_that_comes_later() {
    let (mut session, now) = polling();
    session.handle(Input::Packet(EnginePacket::Close), now);
    assert!(ended(&mut session, now).is_none());
    session.begin(Request::Poll, now).unwrap();
    assert!(matches!(session.take_response(), Some(Response::Noop)));
    assert_eq!(ended(&mut session, now), Some(CloseReason::TransportClose));

    let (mut session, now) = polling();
    session.handle(Input::Packet(EnginePacket::Close), now);
    let later = session.poll_timeout().unwrap();
    assert_eq!(later - now, Duration::from_millis(100));
    session.handle_timeout(later);
    assert_eq!(ended(&mut session, later), Some(CloseReason::TransportClose));
}

#[test]
fn after_a_fault_only_who_waits_or_is_owed_something_is_told() {
    for (is_polled, is_owed) in [(false, false), (true, false), (false, true)] {
        let (mut session, now) = polling();
        if is_polled {
            session.begin(Request::Poll, now).unwrap();
        }
        if is_owed {
            session.push(&[Frame::text("4a")], usize::MAX);
        }
        close(&mut session, CloseReason::ParseError, now);
        assert_eq!(ended(&mut session, now).is_some(), !is_polled && !is_owed);
    }
}

#[test]
fn the_server_pings_and_the_client_has_to_answer() {
    let (mut session, now) = websocket();
    let (interval, timeout) = (config().ping_interval, config().ping_timeout);
    for round in 1..4 {
        let due = now + interval * round;
        assert_eq!(session.poll_timeout(), Some(due));
        session.handle_timeout(due);
        assert_eq!(texts(session.take_writes()), ["2"]);
        assert_eq!(session.poll_timeout(), Some(due + timeout));
        session.handle(Input::Packet(EnginePacket::Pong("")), due);
    }
    let due = now + interval * 4;
    // A machine that overslept gives the client half of the time at least.
    let late = due + timeout * 2;
    session.handle_timeout(late);
    assert_eq!(session.poll_timeout(), Some(late + timeout / 2));
    session.handle_timeout(late + timeout / 2);
    assert_eq!(session.closing(), Some(CloseReason::PingTimeout));
}

#[test]
fn a_request_notices_a_pong_that_is_overdue_before_the_timer_does() {
    let (mut session, now) = polling();
    session.handle(Input::Established, now);
    let due = session.poll_timeout().unwrap();
    session.handle_timeout(due);
    let overdue = session.poll_timeout().unwrap();
    assert_eq!(session.begin(Request::Post, overdue), Err(Refused::UnknownSession));
    assert_eq!(ended(&mut session, overdue), Some(CloseReason::PingTimeout));
}

#[test]
fn a_peer_has_to_take_a_byte_now_and_then() {
    let (mut session, now) = websocket();
    let timeout = config().write_timeout;
    session.push(&[Frame::text("4a")], usize::MAX);
    let writing = session.take_writes();
    session.handle(Input::WriteBlocked, now);
    // Before the next ping.
    let later = now + Duration::from_secs(4);
    session.handle(Input::WriteBlocked, later);
    assert_eq!(session.poll_timeout(), Some(now + timeout), "counted from the first time");
    session.written(0);
    session.handle(Input::WriteBlocked, later);
    assert_eq!(session.poll_timeout(), Some(later + timeout), "a byte was taken");
    session.handle_timeout(later + timeout);
    assert_eq!(ended(&mut session, later + timeout), Some(CloseReason::WriteTimeout));
    drop(writing);
}

#[test]
fn what_does_not_fit_closes_the_session_also_one_that_ends_in_order() {
    for is_closing in [false, true] {
        let (mut session, now) = websocket();
        session.push(&[Frame::text("4a")], usize::MAX);
        if is_closing {
            close(&mut session, CloseReason::Shutdown, now);
        }
        session.push(&[Frame::text("4b")], 100);
        session.push(&[Frame::text("4c")], usize::MAX);
        assert_eq!(ended(&mut session, now), Some(CloseReason::OutboxOverflow));
        assert!(session.stop().is_empty(), "no part of what was to be sent");
    }
}
