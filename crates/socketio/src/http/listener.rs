//! The accept loop: TCP options, header limits, and how many connections there may be.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::address::{ClientAddress, network};
use crate::http::forwarded::client_address;
use crate::http::head_time::HeadTime;
use crate::websocket::Io;

/// Descriptors that are kept for the store, the log and the like.
const RESERVED_DESCRIPTORS: u64 = 64;
/// How long accepting rests when the system has no descriptor or memory left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Settings of the accept loop.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// How long the headers of a request may take from their first byte on; of the first request, from when the
    /// connection was accepted. 20 s.
    pub header_timeout: Duration,
    /// How long a connection may idle between requests; not shorter than `header_timeout` in effect. A load balancer
    /// has to close its idle connections first, or it sends a request into one that is just being closed; most keep
    /// them for 60 s. 75 s.
    pub idle_timeout: Duration,
    /// How many bytes of headers a request may have; at least 8192. 16 KiB.
    pub max_header_bytes: usize,
    /// How many connections there may be; what is over is closed at once. `None`: as many as the process
    /// may have descriptors, less 64.
    pub max_connections: Option<usize>,
    /// How many connections one address, as [`network`] counts it, may have; `None` (the default) is no limit, because a load balancer
    /// hides addresses. Connections of `trusted_proxies` do not count.
    pub max_connections_per_address: Option<usize>,
    /// How long sent bytes may stay unacknowledged by the peer's system (`TCP_USER_TIMEOUT`). 20 s.
    pub write_timeout: Duration,
    /// The proxies whose `X-Forwarded-For` or `Forwarded` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests may take to finish at shutdown. 2 s.
    pub shutdown_timeout: Duration,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            max_header_bytes: 16 * 1024,
            max_connections: None,
            max_connections_per_address: None,
            write_timeout: Duration::from_secs(20),
            trusted_proxies: Vec::new(),
            shutdown_timeout: Duration::from_secs(2),
        }
    }
}

/// Raises the soft limit of open files to the hard limit; answers the limit.
pub fn raise_descriptor_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || (limit.maximum.is_none() && limit.current.is_some()) {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Serves HTTP/1.1 on `listener` until `shutdown`; then takes no further connection, and waits for the
/// requests that are in work, at most the shutdown timeout. WebSockets live on in their own tasks.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    config: ListenerConfig,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: tower_service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let socket = socket2::SockRef::from(&listener);
    // Accepted connections inherit both (Linux), which saves two system calls each.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(config.write_timeout))?;
    let max_connections = config.max_connections.unwrap_or_else(|| {
        let descriptors = raise_descriptor_limit().saturating_sub(RESERVED_DESCRIPTORS).max(1);
        usize::try_from(descriptors).unwrap_or(usize::MAX)
    });
    let counts = Arc::new(Counts::default());
    let config = Arc::new(config);
    let (stop, stopped) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        let is_proxy = config.trusted_proxies.iter().any(|network| network.contains(&address));
        let per_address = config.max_connections_per_address.filter(|_| !is_proxy);
        let Some(permit) = Counts::admit(&counts, network(address), max_connections, per_address) else {
            tracing::debug!(%address, "a connection over the limit was closed");
            continue;
        };
        tokio::spawn(serve_connection(
            stream,
            permit,
            address,
            service.clone(),
            Arc::clone(&config),
            stopped.clone(),
        ));
    }
    drop(listener);
    drop(stopped);
    // Tells the connections; `closed` comes when the last of them has dropped its receiver.
    stop.send_replace(());
    if tokio::time::timeout(config.shutdown_timeout, stop.closed()).await.is_err() {
        tracing::warn!("requests were still in work when the time to finish was over");
    }
    Ok(())
}

async fn serve_connection<S, B>(
    stream: TcpStream,
    permit: Permit,
    peer: IpAddr,
    service: S,
    config: Arc<ListenerConfig>,
    mut stopped: watch::Receiver<()>,
) where
    S: tower_service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // It runs from the end of one request to the head of the next: idling is in it.
        .header_read_timeout(config.idle_timeout.max(config.header_timeout))
        .max_buf_size(config.max_header_bytes.max(8192));
    let head_time = HeadTime::new();
    let stream = AcceptedStream { stream, _permit: permit, head_time: Some(head_time.clone()) };
    let header_timeout = config.header_timeout;
    let service = {
        let head_time = head_time.clone();
        hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let busy = head_time.request();
            let address = client_address(peer, request.headers(), &config.trusted_proxies);
            request.extensions_mut().insert(ClientAddress(address));
            let response = service.clone().call(request);
            async move {
                // Until hyper drops the body, the response is on its way.
                response.await.map(|response| {
                    response.map(|body| {
                        body.map_err(move |error| {
                            let _ = &busy;
                            error
                        })
                    })
                })
            }
        })
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let mut sleep = pin!(tokio::time::sleep(header_timeout));
    let mut stop = pin!(stopped.changed());
    let mut is_stopping = false;
    let result = std::future::poll_fn(|cx| {
        if !is_stopping && stop.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = connection.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        head_time.poll_over(cx, sleep.as_mut(), header_timeout).map(|()| {
            tracing::debug!(%peer, "the head of a request did not come in time");
            Ok(())
        })
    })
    .await;
    if let Err(error) = result {
        tracing::debug!(%error, %peer, "an HTTP connection ended");
    }
}

#[derive(Debug, Default)]
struct Counts {
    all: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Counts {
    fn admit(counts: &Arc<Self>, address: IpAddr, most: usize, per_address: Option<usize>) -> Option<Permit> {
        if counts.all.load(Ordering::Relaxed) >= most {
            return None;
        }
        if let Some(most) = per_address {
            let mut by_address = counts.by_address.lock();
            let count = by_address.entry(address).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        counts.all.fetch_add(1, Ordering::Relaxed);
        Some(Permit { counts: Arc::clone(counts), address: per_address.map(|_| address) })
    }
}

/// A place among the connections; given back when it is dropped.
#[derive(Debug)]
struct Permit {
    counts: Arc<Counts>,
    /// Set if it counts for an address.
    address: Option<IpAddr>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = self.address {
            let mut by_address = self.counts.by_address.lock();
            if let Some(count) = by_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&address);
                }
            }
        }
    }
}

/// An accepted connection and its place.
#[derive(Debug)]
pub(crate) struct AcceptedStream {
    stream: TcpStream,
    _permit: Permit,
    /// Present while the connection speaks HTTP.
    head_time: Option<HeadTime>,
}

impl AcceptedStream {
    /// The connection speaks HTTP no more.
    pub(crate) fn end_http(&mut self) {
        self.head_time = None;
    }
}

impl Io for AcceptedStream {
    fn reset_on_close(&self) -> io::Result<()> {
        self.stream.reset_on_close()
    }
}

impl AsyncRead for AcceptedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before
            && let Some(head_time) = &self.head_time
        {
            head_time.received();
        }
        read
    }
}

impl AsyncWrite for AcceptedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let counts = Arc::new(Counts::default());
        let here = "127.0.0.1".parse().unwrap();
        let first = Counts::admit(&counts, here, 2, Some(1)).unwrap();
        assert!(Counts::admit(&counts, here, 2, Some(1)).is_none());
        let other = Counts::admit(&counts, "127.0.0.2".parse().unwrap(), 2, Some(1)).unwrap();
        assert!(Counts::admit(&counts, "127.0.0.3".parse().unwrap(), 2, None).is_none());
        drop((first, other));
        assert!(Counts::admit(&counts, here, 2, Some(1)).is_some());
        assert!(counts.by_address.lock().is_empty());
    }
}
