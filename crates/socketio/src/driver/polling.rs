//! HTTP long-polling: a GET takes what waits, a POST brings packets.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;

use crate::driver::handle::SessionHandle;
use crate::engine::binary_text;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::packet::SEPARATOR;
use crate::engine::session::{Input, Refused, Request, Response};

/// A GET that waits for something to send. Dropped before it is done (the client hung up), it closes the
/// session, as the official server does.
pub(crate) struct Poller {
    session: Arc<SessionHandle>,
    is_done: bool,
}

impl Poller {
    /// Takes the place of the GET; a second one at once closes the session.
    pub(crate) fn new(session: Arc<SessionHandle>) -> Result<Self, Refused> {
        session.begin(Request::Poll)?;
        Ok(Self { session, is_done: false })
    }

    /// The body of the response, or why the client can't be served.
    pub(crate) async fn body(mut self) -> Result<Vec<u8>, Refused> {
        let response = poll_fn(|cx| self.session.poll_response(cx)).await;
        self.is_done = true;
        match response {
            Response::Frames(frames) => Ok(encode(&frames)),
            Response::Noop => Ok(b"6".into()),
            Response::Close => Ok(b"1".into()),
            Response::UnknownSession => Err(Refused::UnknownSession),
            Response::BadRequest => Err(Refused::BadRequest),
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        if !self.is_done {
            self.session.handle(Input::PollGone);
        }
    }
}

/// A POST in work. Dropped before it is done, it closes the session.
pub(crate) struct Poster {
    session: Arc<SessionHandle>,
    is_done: bool,
}

impl Poster {
    /// Takes the place of the POST; a second one at once closes the session.
    pub(crate) fn new(session: Arc<SessionHandle>) -> Result<Self, Refused> {
        session.begin(Request::Post)?;
        Ok(Self { session, is_done: false })
    }

    /// Gives the body to the session's task and waits until it was worked through; the reason if the
    /// session ended over it.
    pub(crate) async fn deliver(mut self, body: Bytes) -> Result<(), CloseReason> {
        self.session.handle(Input::PostBody(body));
        let result = poll_fn(|cx| self.session.poll_post(cx)).await;
        self.is_done = true;
        result
    }

    /// Gives the place back without a body; the session lives on.
    pub(crate) fn cancel(mut self) {
        self.is_done = true;
        self.session.handle(Input::PostCancelled);
    }
}

impl Drop for Poster {
    fn drop(&mut self) {
        if !self.is_done {
            self.session.handle(Input::PostGone);
        }
    }
}

/// Frames as the body of a response: packets behind one another, binary as base64 (Engine.IO protocol,
/// "HTTP long-polling").
fn encode(frames: &VecDeque<Frame>) -> Vec<u8> {
    let mut body = Vec::with_capacity(frames.iter().map(|frame| frame.len() + 2).sum());
    for frame in frames {
        if frame.is_binary() {
            append(&mut body, binary_text::encode(frame.payload()).as_bytes());
        } else {
            append(&mut body, frame.payload());
        }
    }
    body
}

fn append(body: &mut Vec<u8>, packet: &[u8]) {
    if !body.is_empty() {
        body.push(SEPARATOR);
    }
    body.extend_from_slice(packet);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_packets_are_written_in_base64() {
        let frames = VecDeque::from([Frame::text("4a"), Frame::binary(&[1, 2, 3, 4]), Frame::text("2")]);
        assert_eq!(encode(&frames), b"4a\x1ebAQIDBA==\x1e2");
    }
}
