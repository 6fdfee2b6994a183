//! The bounds and times of a server, each with a default that is safe on the open internet.

use std::time::Duration;

/// Settings of a [`Server`](crate::Server).
#[derive(Debug, Clone)]
pub struct Config {
    /// Time between a pong and the next ping. 25 s, as the official server.
    pub ping_interval: Duration,
    /// How long a pong may take before the session is closed. 20 s, as the official server.
    pub ping_timeout: Duration,
    /// The greatest message, in bytes: a WebSocket message (also summed over its fragments, and checked at
    /// the announced length), or the body of a polling POST. 100 000.
    pub max_payload: usize,
    /// How many bytes a message over WebSocket may have before the client is in a namespace, when nobody knows who it is;
    /// not more than `max_payload` in effect. 16 KiB.
    pub max_payload_before_connect: usize,
    /// How long a client may be connected without being in a namespace. 10 s.
    pub connect_timeout: Duration,
    /// How long a WebSocket that was opened to upgrade a polling session may take to complete. 10 s.
    pub upgrade_timeout: Duration,
    /// How many bytes may wait to be sent to one client, over which it is closed. 1 MiB.
    pub outbox_limit: usize,
    /// How many bytes may wait to be sent to all clients together; over it those are closed that have more than their
    /// share. 256 MiB.
    pub max_waiting_bytes: usize,
    /// How many bytes of messages that are not whole yet all clients together may have sent over WebSocket; over it those
    /// are closed that have more than their share. 64 MiB.
    pub max_unfinished_bytes: usize,
    /// How long a client may take no byte of what waits for it, before it is closed. 20 s.
    pub write_timeout: Duration,
    /// How long the body of a polling POST may take. 30 s.
    pub body_timeout: Duration,
    /// How many frames a WebSocket message may be cut into. 1024.
    pub max_fragments: u32,
    /// How many packets a polling POST may carry. 4096.
    pub max_packets_per_body: usize,
    /// How many binary attachments a packet may announce. 10, as the official server.
    pub max_attachments: usize,
    /// How deep the JSON of a packet may be nested. 100.
    pub max_nesting: usize,
    /// The greatest length of an event's name, in bytes. 128.
    pub max_event_name: usize,
    /// How many rooms a socket may be in. 1000.
    pub max_rooms: usize,
    /// How many events of one client may be in work (handed to a handler whose acknowledgement is not yet
    /// sent or dropped); further ones stay unread in the client's connection. 256.
    pub max_in_flight: u32,
    /// How many acknowledgements the server may wait for from one socket. 1000.
    pub max_pending_acknowledgements: usize,
    /// How many sessions one client address may have, also behind trusted proxies; `None` is no limit. None.
    pub max_sessions_per_address: Option<usize>,
    /// Connection state recovery; `None` turns it off for all sockets.
    pub recovery: Option<RecoveryConfig>,
    /// From how many bytes on a polling response is compressed, for a client that takes gzip or deflate; `None` is
    /// never. 1024, as the official server.
    pub compression_threshold: Option<usize>,
    /// Whether [`ConnectRequest::handshake`](crate::ConnectRequest) is there: it is kept as long as the session, up to
    /// [`ListenerConfig::max_header_bytes`](crate::ListenerConfig) each. True.
    pub keep_handshakes: bool,
    /// What session ids begin with, so that a load balancer can bring the requests of a polling session to the
    /// server that holds it. Empty, or characters that need no escape in a URL. Empty.
    pub session_prefix: Box<str>,
}

/// Settings of connection state recovery.
#[derive(Debug, Clone)]
pub struct RecoveryConfig {
    /// How long a lost connection can be taken up again. 2 minutes, as the official server.
    pub window: Duration,
    /// How many bytes of sent events are kept for one socket; over it the oldest go, and with them the
    /// chance to recover from before them. 128 KiB.
    pub max_bytes_per_socket: usize,
    /// How many bytes are kept for all sockets. One owner has those of eight sockets, and of one once half of this is
    /// used. 64 MiB.
    pub max_bytes: usize,
    /// How many lost sockets are kept; over it the longest lost of the owner with the most goes. 10 000.
    pub max_lost_sockets: usize,
    /// What private ids begin with, so that other servers can know whom to ask for a socket that was lost here. It needs
    /// no escape in JSON. Empty.
    pub id_prefix: Box<str>,
    /// The number of the first event. Servers that hand sockets over to each other need numbers that the others don't
    /// have. 1.
    pub first_offset: u64,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(2),
            max_bytes_per_socket: 128 * 1024,
            max_bytes: 64 * 1024 * 1024,
            max_lost_sockets: 10_000,
            id_prefix: "".into(),
            first_offset: 1,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 100_000,
            max_payload_before_connect: 16 * 1024,
            connect_timeout: Duration::from_secs(10),
            upgrade_timeout: Duration::from_secs(10),
            outbox_limit: 1024 * 1024,
            max_waiting_bytes: 256 * 1024 * 1024,
            max_unfinished_bytes: 64 * 1024 * 1024,
            write_timeout: Duration::from_secs(20),
            body_timeout: Duration::from_secs(30),
            max_fragments: 1024,
            max_packets_per_body: 4096,
            max_attachments: 10,
            max_nesting: 100,
            max_event_name: 128,
            max_rooms: 1000,
            max_in_flight: 256,
            max_pending_acknowledgements: 1000,
            max_sessions_per_address: None,
            recovery: None,
            compression_threshold: Some(1024),
            keep_handshakes: true,
            session_prefix: "".into(),
        }
    }
}
