//! What goes into a session, and what comes out.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::engine::close::CloseReason;
use crate::engine::frame::Frame;
use crate::engine::packet::EnginePacket;

/// A request of the client that occupies a place in its session. Each ends by an [`Input`] or by its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// A GET: answered by [`Session::take_response`](super::Session::take_response), or [`Input::PollGone`].
    Poll,
    /// A POST, whose body is still to come: [`Input::PostBody`], [`Input::PostCancelled`] or [`Input::PostGone`].
    Post,
    /// A WebSocket that may upgrade the session: [`Input::ProbeCompleted`] or [`Input::ProbeGone`].
    Probe,
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// For the client the session has ended.
    UnknownSession,
    /// The session can't take it now, for example because one of its kind is there already.
    BadRequest,
}

/// What happens to a session.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// The client sent a packet that is no message.
    Packet(EnginePacket<'a>),
    /// The client has done what it has to do within the connect timeout.
    Established,
    /// Polling responses are held back until [`Input::Uncork`].
    Cork,
    Uncork,
    /// The peer takes no byte now.
    WriteBlocked,
    /// The client gave the GET up.
    PollGone,
    /// The body of the POST has come.
    PostBody(Bytes),
    /// The POST was answered without its body.
    PostCancelled,
    /// The client gave the POST up, or it broke off.
    PostGone,
    /// The body of [`Output::Body`] was worked through.
    BodyTaken,
    /// The WebSocket that probes has sent its probe.
    Probed,
    /// The WebSocket that probes has sent the upgrade packet.
    ProbeCompleted,
    /// The WebSocket that probes has gone, or was refused.
    ProbeGone,
    /// The session is to end; the first reason counts. `code` is the WebSocket close code, where the reason has several.
    Close {
        reason: CloseReason,
        code: Option<u16>,
    },
    /// No event of the client is in work any more; the answer to [`Output::Finish`].
    WorkFinished,
}

/// What the task of a session has to do.
#[derive(Debug)]
pub(crate) enum Output {
    /// Work through the body of a POST, then give [`Input::BodyTaken`].
    Body(Bytes),
    /// Speak over the WebSocket that has probed from now on.
    Upgrade,
    /// Take no further message; once no event of the client is in work, give [`Input::WorkFinished`].
    Finish,
    /// The session has ended for the handler: call its `closed`.
    Detach(CloseReason),
    /// Forget the session, then [`Session::stop`](super::Session::stop) it.
    End(CloseReason),
}

/// The answer to a GET.
#[derive(Debug)]
pub(crate) enum Response {
    /// What waited.
    Frames(VecDeque<Frame>),
    /// Nothing; the client goes on over WebSocket, or has closed the session itself.
    Noop,
    /// The session has ended.
    Close,
    /// The session has ended, and the client shall open another.
    UnknownSession,
    /// The session has been upgraded since.
    BadRequest,
}

/// Whom an input concerns: the driver wakes them once it has let go of the session.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four")]
pub(crate) struct Wakes {
    /// The session's task: [`Session::poll_output`](super::Session::poll_output), writes or a deadline.
    pub(crate) task: bool,
    /// The GET that waits.
    pub(crate) poll: bool,
    /// The POST that waits.
    pub(crate) post: bool,
    /// Who waits until less waits to be sent, or the session ends.
    pub(crate) drained: bool,
}
