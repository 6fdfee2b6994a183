//! What a WebSocket runs over.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Any stream of bytes: TCP, TLS, or a pipe in memory.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {
    /// From now on, what the system still holds for the peer is thrown away when the stream is closed. Only TCP knows
    /// this; others are closed.
    fn reset_on_close(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Io for TcpStream {
    fn reset_on_close(&self) -> io::Result<()> {
        socket2::SockRef::from(self).set_linger(Some(Duration::ZERO))
    }
}
