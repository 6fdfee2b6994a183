//! HTTP long-polling: a GET takes what waits, a POST brings packets.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::driver::session::Session;
use crate::engine::binary_text;
use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::packet::SEPARATOR;
use crate::websocket::WebSocket;

/// The part of a session's state that only HTTP long-polling needs.
#[derive(Default)]
pub(crate) struct Polling {
    /// The GET that waits.
    poll: Slot,
    /// The POST that is in work.
    post: Slot,
    body: Body,
    /// Whether a WebSocket has probed: a GET that waits is let go, so that the client can switch.
    upgrading: bool,
    /// Whether a WebSocket is open that may upgrade this session.
    has_probe: bool,
    upgraded: Option<Box<WebSocket>>,
}

/// A place for one request.
#[derive(Default)]
struct Slot {
    taken: bool,
    waker: Option<Waker>,
}

#[derive(Default)]
enum Body {
    #[default]
    None,
    /// Came, and not yet looked at.
    Waiting(Bytes),
    /// The session's task works through it.
    InWork,
    Done,
}

impl Polling {
    pub(crate) fn take_body(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.body, Body::InWork) {
            Body::Waiting(bytes) => Some(bytes),
            other => {
                self.body = other;
                None
            }
        }
    }

    pub(crate) fn is_body_in_work(&self) -> bool {
        matches!(self.body, Body::InWork | Body::Waiting(_))
    }

    pub(crate) fn take_upgrade(&mut self) -> Option<Box<WebSocket>> {
        self.upgraded.take()
    }

    /// Whether a GET waits.
    pub(crate) fn is_polled(&self) -> bool {
        self.poll.taken
    }

    pub(crate) fn wake_poll(&mut self) {
        if let Some(waker) = self.poll.waker.take() {
            waker.wake();
        }
    }

    /// Wakes both requests.
    pub(crate) fn wake(&mut self) {
        self.wake_poll();
        if let Some(waker) = self.post.waker.take() {
            waker.wake();
        }
    }
}

/// A request came while another of its kind waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overlap;

/// A GET that waits for something to send. Dropped before it is done (the client hung up), it closes the
/// session, as the official server does.
pub(crate) struct Poller {
    session: Arc<Session>,
    done: bool,
}

impl Poller {
    /// Takes the place of the GET; a second one at once closes the session.
    pub(crate) fn new(session: Arc<Session>) -> Result<Self, Overlap> {
        {
            let mut state = session.lock();
            let slot = state.polling.as_mut().map(|polling| &mut polling.poll).ok_or(Overlap)?;
            if slot.taken {
                drop(state);
                session.close(CloseReason::TransportError);
                return Err(Overlap);
            }
            slot.taken = true;
        }
        Ok(Self { session, done: false })
    }
}

impl Future for Poller {
    /// The body of the response; `None` if the session has ended, and the client shall open another.
    type Output = Option<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let session = Arc::clone(&self.session);
        let mut state = session.lock();
        let farewell = state.farewell();
        // What waits when the session upgrades goes over the WebSocket.
        let mut payload = match &state.polling {
            Some(polling) if polling.upgraded.is_none() => encode(&session.take_for_response(&mut state)),
            _ => Vec::new(),
        };
        let mut is_over = false;
        if !payload.is_empty() {
            // The end is told by the next response: the official client forgets the acknowledgements that it
            // finds in one payload with the close packet.
        } else if let Some(reason) = farewell {
            is_over = reason.invites_back();
            payload.push(if reason == CloseReason::TransportClose { b'6' } else { b'1' });
            state.told();
        } else {
            match &mut state.polling {
                Some(polling) if !polling.upgrading => {
                    polling.poll.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                _ => payload.push(b'6'),
            }
        }
        if let Some(polling) = &mut state.polling {
            polling.poll = Slot::default();
        }
        drop(state);
        self.done = true;
        Poll::Ready((!is_over).then_some(payload))
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        if !self.done {
            self.session.close(CloseReason::TransportClose);
        }
    }
}

/// A POST in work. Dropped before it is done, it closes the session.
pub(crate) struct Poster {
    session: Arc<Session>,
    done: bool,
}

impl Poster {
    /// Takes the place of the POST; a second one at once closes the session.
    pub(crate) fn new(session: Arc<Session>) -> Result<Self, Overlap> {
        {
            let mut state = session.lock();
            let slot = state.polling.as_mut().map(|polling| &mut polling.post).ok_or(Overlap)?;
            if slot.taken {
                drop(state);
                session.close(CloseReason::TransportError);
                return Err(Overlap);
            }
            slot.taken = true;
        }
        Ok(Self { session, done: false })
    }

    /// Gives the body to the session's task and waits until it was worked through; the reason if the
    /// session ended over it.
    pub(crate) async fn deliver(mut self, body: Bytes) -> Result<(), CloseReason> {
        {
            let mut state = self.session.lock();
            if let Some(polling) = &mut state.polling {
                polling.body = Body::Waiting(body);
            }
            state.wake();
        }
        let result = std::future::poll_fn(|cx| {
            let mut state = self.session.lock();
            let refused = state.refuses_posts();
            match &mut state.polling {
                Some(polling) if matches!(polling.body, Body::Done) => {
                    polling.body = Body::None;
                    Poll::Ready(Ok(()))
                }
                Some(polling) => match refused {
                    Some(reason) => Poll::Ready(Err(reason)),
                    None => {
                        polling.post.waker = Some(cx.waker().clone());
                        Poll::Pending
                    }
                },
                None => Poll::Ready(Ok(())),
            }
        })
        .await;
        self.release();
        result
    }

    /// Gives the place back without a body; the session lives on.
    pub(crate) fn release(&mut self) {
        self.done = true;
        if let Some(polling) = &mut self.session.lock().polling {
            polling.post = Slot::default();
        }
    }
}

impl Drop for Poster {
    fn drop(&mut self) {
        if !self.done {
            self.session.close(CloseReason::TransportClose);
        }
    }
}

/// The session's task has worked through the body.
pub(crate) fn body_done(session: &Session) {
    let mut state = session.lock();
    if let Some(polling) = &mut state.polling {
        polling.body = Body::Done;
        if let Some(waker) = polling.post.waker.take() {
            waker.wake();
        }
        // An upgrade may have waited for the body.
        if polling.upgraded.is_some() {
            state.wake();
        }
    }
}

/// The steps of an upgrade, as the WebSocket that probes sees them.
pub(crate) struct Probe {
    session: Arc<Session>,
    done: bool,
}

impl Probe {
    /// Begins; refused if the session is not polling, or another WebSocket is at it.
    pub(crate) fn begin(session: Arc<Session>) -> Result<Self, Overlap> {
        {
            let mut state = session.lock();
            if state.farewell().is_some() {
                return Err(Overlap);
            }
            let polling = state.polling.as_mut().ok_or(Overlap)?;
            if polling.has_probe {
                return Err(Overlap);
            }
            polling.has_probe = true;
        }
        Ok(Self { session, done: false })
    }

    /// The client's ping came: lets a GET that waits go.
    pub(crate) fn probed(&self) {
        if let Some(polling) = &mut self.session.lock().polling {
            polling.upgrading = true;
            polling.wake_poll();
        }
    }

    /// The client's upgrade came: hands the WebSocket over to the session's task.
    pub(crate) fn complete(mut self, websocket: WebSocket) {
        self.done = true;
        let mut state = self.session.lock();
        if let Some(polling) = &mut state.polling {
            polling.upgraded = Some(Box::new(websocket));
        }
        state.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.session.closing().is_some()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if !self.done
            && let Some(polling) = &mut self.session.lock().polling
        {
            polling.upgrading = false;
            polling.has_probe = false;
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
