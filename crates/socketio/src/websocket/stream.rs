//! A WebSocket over any stream: reads through one buffer a thread, writes all that waits in one system call.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::decoder::Decoder;
use super::io::Io;
use super::message::{CLOSE, Incoming, Limits, PONG, Violation};
use crate::engine::frame::{self, Frame};

/// How many bytes one read takes at most. One buffer a thread, none a connection.
const READ_SIZE: usize = 16 * 1024;
/// How many frames one write takes at most.
const FRAMES_A_WRITE: usize = 64;
/// How many bytes of a peer that was sent a close frame are read and thrown away.
const MAX_DISCARDED: usize = 1024 * 1024;
/// How long such a peer has to close its side.
const PEER_CLOSE: Duration = Duration::from_millis(800);

thread_local! {
    /// Taken out while it is used, so that a nested use would get a buffer of its own.
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The connection of one peer after the upgrade.
#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: Box<dyn Io>,
    decoder: Decoder,
    limits: Limits,
    /// What was read but could not be taken yet.
    unread: Vec<u8>,
    /// What is being written; empty between writes.
    writing: VecDeque<Frame>,
    /// How many bytes of the first frame of `writing` are gone.
    written: usize,
    /// See [`WebSocket::omit_close_frame`].
    omits_close_frame: bool,
}

/// What [`WebSocket::poll_flush`] did.
#[derive(Debug, Default)]
pub(crate) struct Flushed {
    /// The cost of the frames that are gone whole; `None` if the peer took no byte.
    pub(crate) cost: Option<usize>,
    /// The peer takes no more now; the task is woken when it does.
    pub(crate) is_blocked: bool,
}

/// Whether the consumer of messages takes another.
pub(crate) enum Taken {
    More,
    Enough,
}

/// Why reading ended.
#[derive(Debug)]
pub(crate) enum ReadError<E> {
    /// The peer closed the TCP connection, or it broke.
    Gone(io::Error),
    /// The peer broke the protocol.
    Violation(Violation),
    /// The consumer refused a message.
    Refused(E),
}

impl WebSocket {
    /// Takes over a connection; `read_ahead` is what hyper had read behind the request.
    pub(crate) fn new(stream: Box<dyn Io>, read_ahead: &[u8], limits: Limits) -> Self {
        Self {
            stream,
            decoder: Decoder::default(),
            limits,
            unread: read_ahead.to_vec(),
            writing: VecDeque::new(),
            written: 0,
            omits_close_frame: false,
        }
    }

    /// From now on the end is the end of the TCP connection alone.
    pub(crate) fn omit_close_frame(&mut self) {
        self.omits_close_frame = true;
    }

    /// Reads once and gives each message to `consume`, until that has enough. Answers `Ready` if more may be
    /// there to read.
    pub(crate) fn poll_read<E>(
        &mut self,
        cx: &mut Context<'_>,
        mut consume: impl FnMut(&mut Vec<Reply>, Incoming<'_>) -> Result<Taken, E>,
        replies: &mut Vec<Reply>,
    ) -> Poll<Result<(), ReadError<E>>> {
        let mut buffer = std::mem::take(&mut self.unread);
        let borrowed = buffer.is_empty();
        let mut filled = buffer.len();
        if borrowed {
            buffer = READ_BUFFER.take();
            buffer.resize(READ_SIZE, 0);
            let mut read = ReadBuf::new(&mut buffer);
            let result = Pin::new(&mut self.stream).poll_read(cx, &mut read);
            filled = read.filled().len();
            match result {
                Poll::Ready(Ok(())) if filled > 0 => {}
                Poll::Pending => {
                    READ_BUFFER.set(buffer);
                    return Poll::Pending;
                }
                Poll::Ready(result) => {
                    READ_BUFFER.set(buffer);
                    let error = result.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into());
                    return Poll::Ready(Err(ReadError::Gone(error)));
                }
            }
        }
        let mut position = 0;
        let result = loop {
            match self.decoder.next(&mut buffer[..filled], &mut position, self.limits) {
                Ok(Some(message)) => match consume(replies, message) {
                    Ok(Taken::More) => {}
                    Ok(Taken::Enough) => break Ok(()),
                    Err(error) => break Err(ReadError::Refused(error)),
                },
                Ok(None) => break Ok(()),
                Err(violation) => break Err(ReadError::Violation(violation)),
            }
        };
        self.unread = buffer[position..filled].to_vec();
        if borrowed {
            READ_BUFFER.set(buffer);
        }
        Poll::Ready(result)
    }

    /// How many bytes are held of messages that are not whole yet, or were not taken yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.decoder.held() + self.unread.len()
    }

    /// How many bytes a message may have from now on.
    pub(crate) fn limit_messages(&mut self, most: usize) {
        self.limits.message = most;
    }

    /// Whether nothing is being written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.writing.is_empty()
    }

    /// Puts `frames` behind what is being written.
    pub(crate) fn queue(&mut self, mut frames: VecDeque<Frame>) {
        if self.writing.is_empty() {
            self.writing = frames;
        } else {
            self.writing.append(&mut frames);
        }
    }

    /// Puts one frame behind what is being written.
    pub(crate) fn queue_frame(&mut self, frame: Frame) {
        self.writing.push_back(frame);
    }

    /// Writes what was queued, as far as the peer takes it now.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> io::Result<Flushed> {
        let mut flushed = Flushed::default();
        while !self.writing.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_A_WRITE];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.writing) {
                let skip = if count == 0 { self.written } else { 0 };
                *slice = IoSlice::new(&frame.bytes()[skip..]);
                count += 1;
            }
            match Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(bytes) => *flushed.cost.get_or_insert_default() += self.advance(bytes),
                Poll::Pending => {
                    flushed.is_blocked = true;
                    return Ok(flushed);
                }
            }
        }
        // An idle connection keeps no queue.
        self.writing = VecDeque::new();
        Ok(flushed)
    }

    /// Writes all that was queued.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| match self.poll_flush(cx) {
            Ok(Flushed { is_blocked: true, .. }) => Poll::Pending,
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }

    /// Sends a close frame within `time`, behind what is queued, and closes.
    pub(crate) async fn close(mut self, code: u16, time: Duration) {
        if !self.omits_close_frame {
            self.queue_frame(frame::control(CLOSE, &code.to_be_bytes()));
        }
        let close_frame = async {
            self.flush().await?;
            tokio::io::AsyncWriteExt::shutdown(&mut self.stream).await
        };
        match tokio::time::timeout(time, close_frame).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return tracing::debug!(%error, "the peer went before the close frame"),
            Err(_) => return tracing::debug!("the peer did not take the close frame in time"),
        }
        // Closed with input unread, the system would reset the connection, and what the peer has not taken yet
        // would be lost with it.
        let discard = async {
            let mut buffer = vec![0; 4096];
            let mut discarded = 0;
            while discarded < MAX_DISCARDED {
                match tokio::io::AsyncReadExt::read(&mut self.stream, &mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => discarded += count,
                }
            }
        };
        if tokio::time::timeout(PEER_CLOSE, discard).await.is_err() {
            tracing::debug!("the peer did not close in time");
        }
    }

    /// Cuts the connection: what the kernel holds for the peer is thrown away.
    pub(crate) fn cut(self) {
        if let Err(error) = self.stream.reset_on_close() {
            tracing::debug!(%error, "the connection could not be cut, and is closed");
        }
    }

    /// Removes `bytes` from the front of `writing`; answers the bytes of the frames that are gone whole.
    fn advance(&mut self, bytes: usize) -> usize {
        let mut written = self.written + bytes;
        let mut sent = 0;
        while let Some(first) = self.writing.front() {
            if written < first.len() {
                break;
            }
            written -= first.len();
            sent += first.cost();
            self.writing.pop_front();
        }
        self.written = written;
        sent
    }
}

/// What the transport itself answers.
#[derive(Debug)]
pub(crate) struct Reply(pub(crate) Frame);

impl Reply {
    /// The answer to a WebSocket ping.
    pub(crate) fn pong(payload: &[u8]) -> Self {
        Self(frame::control(PONG, payload))
    }
}
