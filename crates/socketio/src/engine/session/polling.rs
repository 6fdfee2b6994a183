//! The part of a session's state that only HTTP long-polling has.

use std::time::Instant;

use bytes::Bytes;

/// The places of the requests, one of each kind.
#[derive(Debug, Default)]
pub(super) struct Polling {
    /// Whether a GET waits.
    pub(super) is_polled: bool,
    /// Until when a GET that came after the probe waits for the upgrade.
    pub(super) held_until: Option<Instant>,
    pub(super) post: Post,
    pub(super) probe: Probe,
}

/// The place of the POST.
#[derive(Debug, Default)]
pub(super) enum Post {
    #[default]
    Free,
    /// Its body is on its way.
    Receiving,
    /// The body is here, and not yet looked at.
    Received(Bytes),
    /// The session's task works through the body.
    InWork,
    /// The answer is due.
    Done,
}

/// The place of the WebSocket that may upgrade the session.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    #[default]
    None,
    Begun,
    /// A GET that waits is let go, so that the client can switch.
    Probed,
    /// Takes over as soon as it may.
    Completed,
}

impl Polling {
    /// Takes the body that is to be worked through.
    pub(super) fn take_body(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.post, Post::InWork) {
            Post::Received(body) => Some(body),
            other => {
                self.post = other;
                None
            }
        }
    }

    /// Whether the WebSocket that has probed may take over: no POST is under way, for what came by POST was sent before;
    /// or the session closes, and says so over the WebSocket.
    pub(super) fn can_upgrade(&self, is_closing: bool) -> bool {
        self.probe == Probe::Completed && (is_closing || matches!(self.post, Post::Free | Post::Done))
    }
}
