//! A node that falls silent while it holds the lock of all writes: the others write within some seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use horse_trust::store::postgres::PostgresStore;
use horse_trust::store::{Lifecycle, MessageStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::fixture::postgres::database;
use crate::fixture::store::{append, assert_within, id, open, soon};

/// Where a client falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// Between the Execute and the Sync of a statement.
    AfterExecute = 1,
    /// Behind the simple query that begins a batch and takes the lock.
    AfterBegin,
    /// In the middle of the message behind that.
    WithinMessage,
}

/// Lies between a node and the server, and passes on what both say, until it is told to stop.
struct Proxy {
    url: String,
    stops: Arc<Stops>,
}

#[derive(Default)]
struct Stops {
    /// When to stop, as [`Silence`]; 0 is never.
    at: AtomicU8,
    stopped: Notify,
}

impl Stops {
    fn at(&self, silence: Silence) -> bool {
        self.at.load(Ordering::Relaxed) == silence as u8
    }
}

impl Proxy {
    async fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (server, name) = url.strip_prefix("postgres://postgres@").unwrap().split_once('/').unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable");
        let (stops, server) = (Arc::new(Stops::default()), server.to_owned());
        let of_proxy = Arc::clone(&stops);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = TcpStream::connect(&server).await.unwrap().into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                tokio::spawn(pass_on(from_client, to_server, Arc::clone(&of_proxy)));
            }
        });
        Self { url, stops }
    }
}

/// Passes on message by message; after it has stopped the connection stays open. Ends with the client.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, stops: Arc<Stops>) -> std::io::Result<()> {
    // The first message has no type.
    let length = from.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    from.read_exact(&mut body).await?;
    to.write_u32(length).await?;
    to.write_all(&body).await?;
    let mut has_begun = false;
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await?;
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.extend(body);
        if has_begun && stops.at(Silence::WithinMessage) {
            to.write_all(&message[..message.len() / 2]).await?;
            break;
        }
        to.write_all(&message).await?;
        has_begun = kind == b'Q' && message.windows(11).any(|part| part == b"lock_writes");
        if kind == b'E' && stops.at(Silence::AfterExecute) || has_begun && stops.at(Silence::AfterBegin) {
            break;
        }
    }
    stops.at.store(0, Ordering::Relaxed);
    stops.stopped.notify_one();
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_falls_silent_holds_nobody_up() {
    let url = database().await;
    let proxy = Proxy::start(&url).await;
    let silent = PostgresStore::open(&proxy.url).await.unwrap();
    let other = PostgresStore::open(&url).await.unwrap();
    assert!(other.register(true).await.unwrap());
    let conversation = open(&other, "ann", "ben").await;
    // What is prepared needs no Execute of its own.
    let warm: Vec<_> = (0..50).map(|_| append(&silent, &conversation, "ann", "one")).collect();
    assert!(join_all(warm).await.iter().all(Result::is_ok));
    for silence in [Silence::AfterExecute, Silence::AfterBegin, Silence::WithinMessage] {
        proxy.stops.at.store(silence as u8, Ordering::Relaxed);
        // Messages and reads in turns, so that a batch has more than one statement.
        let lost: Vec<_> = (0..20)
            .map(|_| {
                silent.mark_read(
                    horse_trust::store::MarkRead {
                        conversation: Arc::clone(&conversation),
                        reader: id("ben"),
                        up_to: Some(1),
                    },
                    Box::new(drop),
                );
                append(&silent, &conversation, "ann", "lost")
            })
            .collect();
        soon(proxy.stops.stopped.notified()).await;
        let begun = Instant::now();
        let sent = append(&other, &conversation, "ben", "two").await;
        println!("{silence:?}: the other node wrote after {:?}", begun.elapsed());
        sent.unwrap();
        assert_within(begun, Duration::from_secs(4));
        join_all(lost).await;
        // It comes back by itself.
        soon(async { while append(&silent, &conversation, "ann", "three").await.is_err() {} }).await;
    }
    soon(silent.close()).await;
    soon(other.close()).await;
}
