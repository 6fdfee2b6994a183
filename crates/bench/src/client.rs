//! A Socket.IO client over WebSocket, cheap enough to run ten thousand of on one thread.
//!
//! A connection is two handles on one TCP stream: [`Sender`], which any task may hold, and [`Client`], which one
//! task reads. Nothing lies between a frame and its system call.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::rc::Rc;

use anyhow::{Context as _, Result, anyhow, bail};
use tokio::net::{TcpSocket, TcpStream};

use crate::frame::{self, Opcode};
use crate::packet::{self, Packet};

/// The key of the RFC's example and the answer to it: the handshake guards against caches, which are not here,
/// and ten thousand clients that compute SHA-1 would be measured along.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Connections from one source address, below the kernel's range of some 28 000 ephemeral ports.
const CONNECTIONS_PER_SOURCE: usize = 20_000;

/// The least that one read has room for, in bytes: several messages and what goes with them.
const READ_SIZE: usize = 4096;

/// The loopback address from which the connection with this index comes.
pub(crate) fn source(index: usize) -> Ipv4Addr {
    let block = u8::try_from(index / CONNECTIONS_PER_SOURCE).expect("fewer than five million connections");
    Ipv4Addr::new(127, 0, 0, block + 1)
}

/// The writing half of a connection.
pub(crate) struct Sender {
    stream: TcpStream,
    scratch: RefCell<Vec<u8>>,
}

impl Sender {
    /// Sends one Engine.IO packet at once.
    ///
    /// Fails when the connection is gone, and also when the kernel's buffer is full: at the loads of this
    /// program that holds thousands of messages, so a server that lets it fill has stopped reading.
    pub(crate) fn send(&self, packet: &str) -> Result<()> {
        self.write(|frame| frame::encode_text(frame, packet, mask()))
    }

    fn write(&self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let mut frame = self.scratch.borrow_mut();
        frame.clear();
        encode(&mut frame);
        match self.stream.try_write(&frame) {
            Ok(written) if written == frame.len() => Ok(()),
            Ok(_) => bail!("the server stopped reading"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("the server stopped reading"),
            Err(error) => Err(error).context("sending"),
        }
    }
}

fn mask() -> [u8; 4] {
    fastrand::u32(..).to_ne_bytes()
}

/// A connected socket.
pub(crate) struct Client {
    sender: Rc<Sender>,
    received: Vec<u8>,
    /// Where the first frame not yet handed out starts in `received`.
    start: usize,
    /// The data of the server's CONNECT.
    pub(crate) welcome: String,
}

impl Client {
    /// Connects to the namespace `/`; `auth` is the JSON object of the CONNECT packet.
    ///
    /// Returns when the server has said CONNECT; a `CONNECT_ERROR` is an error.
    pub(crate) async fn connect(server: SocketAddr, source: Ipv4Addr, auth: &str) -> Result<Self> {
        Self::reconnect(server, source, auth, |_, _| {}).await
    }

    /// As [`connect`](Self::connect), for a client that comes back: the official server sends the events that it
    /// missed before CONNECT. They go to `on_event` with name and arguments.
    pub(crate) async fn reconnect(
        server: SocketAddr,
        source: Ipv4Addr,
        auth: &str,
        mut on_event: impl FnMut(&str, &str),
    ) -> Result<Self> {
        let mut client = Self::open(server, source).await?;
        if !matches!(client.next().await?, Packet::Open) {
            bail!("the server did not open the session");
        }
        client.sender.send(&format!("40{auth}"))?;
        client.welcome = loop {
            match client.next().await? {
                Packet::Connected(data) => break data.to_owned(),
                Packet::Event { name, arguments } => on_event(name, arguments),
                Packet::Refused(data) => bail!("refused: {data}"),
                other => bail!("instead of CONNECT came {other:?}"),
            }
        };
        Ok(client)
    }

    /// Opens the WebSocket.
    async fn open(server: SocketAddr, source: Ipv4Addr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if source != Ipv4Addr::LOCALHOST {
            socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
        }
        let stream = socket.connect(server).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let sender = Rc::new(Sender { stream, scratch: RefCell::default() });
        let mut client = Self { sender, received: Vec::new(), start: 0, welcome: String::new() };
        client.upgrade(server).await.context("upgrading to WebSocket")?;
        Ok(client)
    }

    async fn upgrade(&mut self, server: SocketAddr) -> Result<()> {
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        self.sender.write(|bytes| bytes.extend_from_slice(request.as_bytes()))?;
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let head = std::str::from_utf8(&self.received[..end]).context("the head is not text")?;
        if !head.starts_with("HTTP/1.1 101") || !head.contains(ACCEPT) {
            bail!("{}", head.lines().next().unwrap_or_default());
        }
        self.start = end;
        Ok(())
    }

    /// The writing half.
    pub(crate) fn sender(&self) -> Rc<Sender> {
        Rc::clone(&self.sender)
    }

    /// The next packet that is not a heartbeat; heartbeats are answered meanwhile.
    ///
    /// May be dropped between packets without losing one.
    pub(crate) async fn next(&mut self) -> Result<Packet<'_>> {
        let range = loop {
            let range = self.next_range().await?;
            match packet::parse(text(&self.received[range.clone()])?) {
                Packet::Ping => self.sender.send("3")?,
                Packet::Disconnected => bail!("the server closed the connection"),
                _ => break range,
            }
        };
        Ok(packet::parse(text(&self.received[range])?))
    }

    /// Reads until the connection ends, answering heartbeats; says why it ended.
    pub(crate) async fn hold(&mut self) -> anyhow::Error {
        loop {
            if let Err(error) = self.next().await {
                return error;
            }
        }
    }

    /// Joins the conversation and waits for the acknowledgement; other events meanwhile go to `on_event`.
    pub(crate) async fn join(
        &mut self,
        number: u64,
        conversation: &str,
        mut on_event: impl FnMut(&str, &str),
    ) -> Result<()> {
        self.sender.send(&packet::join_conversation(number, conversation))?;
        loop {
            match self.next().await? {
                Packet::Acknowledgement { number: acknowledged, arguments } if acknowledged == number => {
                    return packet::is_success(arguments)
                        .then_some(())
                        .ok_or_else(|| anyhow!("joining {conversation} refused: {arguments}"));
                }
                Packet::Event { name, arguments } => on_event(name, arguments),
                other => bail!("instead of the acknowledgement came {other:?}"),
            }
        }
    }

    /// Where the payload of the next text frame lies in `received`.
    async fn next_range(&mut self) -> Result<Range<usize>> {
        loop {
            while let Some(frame) = frame::decode(&self.received[self.start..])? {
                let payload = self.start + frame.payload.start..self.start + frame.payload.end;
                self.start = payload.end;
                match frame.opcode {
                    Opcode::Text => return Ok(payload),
                    Opcode::Close => bail!("the server closed the WebSocket"),
                    Opcode::Ping => {
                        self.sender.write(|out| frame::encode_pong(out, &self.received[payload], mask()))?;
                    }
                    Opcode::Pong => {}
                }
            }
            self.received.drain(..self.start);
            self.start = 0;
            self.fill().await?;
        }
    }

    /// Reads what there is, and waits if there is nothing.
    async fn fill(&mut self) -> Result<()> {
        loop {
            self.sender.stream.readable().await?;
            self.received.reserve(READ_SIZE);
            match self.sender.stream.try_read_buf(&mut self.received) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("receiving"),
            }
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).context("the server sent text that is not UTF-8")
}
