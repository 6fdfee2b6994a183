//! An event on its way to many sockets.

use std::cell::OnceCell;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::engine::frame::Frame;
use crate::protocol::core::Namespace;
use crate::protocol::encode;
use crate::protocol::recovery::log::{Offset, format_offset};

/// An event on its way out, encoded at most once with an offset and once without.
pub(crate) struct Outgoing<'a> {
    namespace: &'a Namespace,
    event: &'a str,
    arguments: &'a str,
    attachments: &'a [Bytes],
    plain: OnceCell<Vec<Frame>>,
    with_offset: OnceCell<(Offset, Vec<Frame>)>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(
        namespace: &'a Namespace,
        event: &'a str,
        arguments: &'a str,
        attachments: &'a [Bytes],
    ) -> Self {
        Self {
            namespace,
            event,
            arguments,
            attachments,
            plain: OnceCell::new(),
            with_offset: OnceCell::new(),
        }
    }

    /// The packet as it is.
    pub(crate) fn frames(&self) -> &[Frame] {
        self.plain.get_or_init(|| self.encode(None))
    }

    /// The packet with its offset as the last argument. An event with attachments has none: it is not kept.
    pub(crate) fn with_offset(&self) -> (Offset, &[Frame]) {
        if !self.attachments.is_empty() {
            return (0, self.frames());
        }
        let (offset, frames) = self.with_offset.get_or_init(|| {
            let offset = self.namespace.0.next_offset.fetch_add(1, Ordering::Relaxed);
            (offset, self.encode(Some(&format_offset(offset))))
        });
        (*offset, frames)
    }

    fn encode(&self, offset: Option<&str>) -> Vec<Frame> {
        let count = self.attachments.len();
        let text = encode::event(self.namespace.name(), None, self.event, self.arguments, offset, count);
        let mut frames = Vec::with_capacity(1 + count);
        frames.push(text);
        frames.extend(self.attachments.iter().map(|bytes| Frame::binary(bytes)));
        frames
    }
}
