//! A client that can also break the rules. Every wait has a time limit.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// The longest any wait may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A connection to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An answer to an HTTP request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Reads the answer to the only request of a connection.
pub(crate) async fn read_answer(mut stream: Box<dyn Stream>) -> Answer {
    let mut bytes = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("no answer in time").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {text:?}"));
    Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), body: body.to_owned() }
}

/// The value of a text field of a JSON object, by hand: ours hold nothing that is escaped.
pub(crate) fn field(json: &str, name: &str) -> String {
    let start = json.find(&format!("\"{name}\":\"")).unwrap_or_else(|| panic!("no {name} in {json}"));
    json[start + name.len() + 4..].split('"').next().unwrap().to_owned()
}

/// What a WebSocket receives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Text(String),
    Binary(Bytes),
    Pong(Bytes),
    Close(u16),
    /// The TCP connection ended.
    Gone,
}

pub(crate) struct WebSocket {
    pub(crate) stream: Box<dyn Stream>,
}

impl WebSocket {
    pub(crate) async fn send(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes()).await;
    }

    /// Sends a masked frame with any first byte.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.raw(&frame(first, payload)).await;
    }

    /// Sends bytes as they are. That the server may have closed meanwhile is for the test to see.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        drop(timeout(LIMIT, self.stream.write_all(bytes)).await.expect("the server reads no more"));
    }

    pub(crate) async fn receive(&mut self) -> Received {
        timeout(LIMIT, self.read()).await.expect("nothing came in time").unwrap_or(Received::Gone)
    }

    async fn read(&mut self) -> std::io::Result<Received> {
        let first = self.stream.read_u8().await?;
        let length = match self.stream.read_u8().await? {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await?;
        Ok(match first {
            0x81 => Received::Text(String::from_utf8(payload).unwrap()),
            0x82 => Received::Binary(payload.into()),
            0x8a => Received::Pong(payload.into()),
            0x88 => Received::Close(u16::from_be_bytes(payload[..2].try_into().unwrap())),
            other => panic!("a frame that begins with {other:x}"),
        })
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> String {
        match self.receive().await {
            Received::Text(text) => text,
            other => panic!("a text was due, {other:?} came"),
        }
    }

    /// The next text that is no ping; pings are answered.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            match self.text().await.as_str() {
                "2" => self.send("3").await,
                text => return text.to_owned(),
            }
        }
    }

    /// Waits for the end; answers the close code if there was one. Texts before it are passed over.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.receive().await {
                Received::Close(received) => code = Some(received),
                Received::Gone => return code,
                _ => {}
            }
        }
    }

    /// Emits `["echo-probe"]`-like traffic to see that the server still answers this client.
    pub(crate) async fn is_served(&mut self) {
        self.send(r#"4299["message-with-ack","here"]"#).await;
        assert_eq!(self.packet().await, r#"4399["here"]"#);
    }
}

/// A client's frame, masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 11, 13, 17];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..=65_535 => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
