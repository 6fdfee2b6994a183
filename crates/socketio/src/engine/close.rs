//! Why a session or a socket ended.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a session ended. The texts of those that the official server knows are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum CloseReason {
    /// The client closed the connection or went away.
    TransportClose,
    /// The connection failed, or the client broke the rules of the transport.
    TransportError,
    /// No pong came in time.
    PingTimeout,
    /// The client sent what is no packet, or a packet that its state does not allow.
    ParseError,
    /// A message, or the sum of its fragments, was over the bound.
    PayloadTooLarge,
    /// The client did not connect to a namespace in time.
    ConnectTimeout,
    /// The client left the namespace.
    ClientDisconnect,
    /// The server put the socket out of the namespace, or closed the session.
    ServerDisconnect,
    /// More waited to be sent than the outbox may hold.
    OutboxOverflow,
    /// The client took no byte for too long.
    WriteTimeout,
    /// The same client came back on another connection and took its session up there.
    Replaced,
    /// The server is shutting down.
    Shutdown,
}

impl CloseReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::TransportClose,
        Self::TransportError,
        Self::PingTimeout,
        Self::ParseError,
        Self::PayloadTooLarge,
        Self::ConnectTimeout,
        Self::ClientDisconnect,
        Self::ServerDisconnect,
        Self::OutboxOverflow,
        Self::WriteTimeout,
        Self::Replaced,
        Self::Shutdown,
    ];

    /// A short text, for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::PayloadTooLarge => "payload too large",
            Self::ConnectTimeout => "connect timeout",
            Self::ClientDisconnect => "client namespace disconnect",
            Self::ServerDisconnect => "server namespace disconnect",
            Self::OutboxOverflow => "outbox overflow",
            Self::WriteTimeout => "write timeout",
            Self::Replaced => "replaced",
            Self::Shutdown => "server shutting down",
        }
    }

    /// The WebSocket close code (RFC 6455, section 7.4.1) that the client gets.
    pub(crate) const fn websocket_code(self) -> u16 {
        match self {
            Self::TransportClose | Self::ClientDisconnect | Self::ServerDisconnect => 1000,
            Self::Shutdown => 1001,
            Self::TransportError | Self::ParseError => 1002,
            Self::PayloadTooLarge => 1009,
            Self::PingTimeout
            | Self::ConnectTimeout
            | Self::OutboxOverflow
            | Self::WriteTimeout
            | Self::Replaced => 1008,
        }
    }

    /// Whether the session ends in order.
    pub(crate) const fn is_orderly(self) -> bool {
        matches!(self, Self::ClientDisconnect | Self::ServerDisconnect | Self::Shutdown)
    }

    /// Whether the client sent what it must not. What it had sent before was right, and is answered.
    pub(crate) const fn is_fault(self) -> bool {
        matches!(self, Self::TransportError | Self::ParseError | Self::PayloadTooLarge)
    }

    /// Whether events in work are finished and what waits in the outbox is sent first.
    pub(crate) const fn flushes(self) -> bool {
        self.is_orderly() || self.is_fault()
    }

    /// Whether the client should come back by itself, so that over polling it gets an error and no close packet: the
    /// Python client takes a close packet as the server's wish to be left alone.
    pub(crate) const fn invites_back(self) -> bool {
        matches!(
            self,
            Self::Shutdown | Self::PingTimeout | Self::OutboxOverflow | Self::WriteTimeout | Self::Replaced
        )
    }

    /// Whether the client takes nothing any more, so that the connection is cut without a word.
    pub(crate) const fn cuts(self) -> bool {
        matches!(self, Self::OutboxOverflow | Self::WriteTimeout | Self::PingTimeout | Self::Replaced)
    }

    /// Whether a socket that ended so may be recovered: it was not meant to end.
    pub(crate) const fn recoverable(self) -> bool {
        !matches!(
            self,
            Self::ClientDisconnect | Self::ServerDisconnect | Self::ParseError | Self::PayloadTooLarge
        )
    }
}

impl std::fmt::Display for CloseReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How many sessions ended for each reason.
#[derive(Debug, Default)]
pub struct CloseCounts([AtomicU64; CloseReason::ALL.len()]);

impl CloseCounts {
    pub(crate) fn count(&self, reason: CloseReason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many sessions ended for `reason` since the start.
    pub fn get(&self, reason: CloseReason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}
