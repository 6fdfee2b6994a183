//! The tower service: HTTP requests in, sessions opened, polled, posted to or upgraded.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Body;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::driver::budget::Held;
use crate::driver::handle::SessionHandle;
use crate::driver::polling::{Poller, Poster};
use crate::driver::upgrade::{self, Probe};
use crate::engine::close::CloseReason;
use crate::engine::opening::Opening;
use crate::engine::session::Refused;
use crate::http::compression::Encoding;
use crate::http::handshake::{self, HandshakeError, TransportName};
use crate::http::listener::AcceptedStream;
use crate::server::{Server, Shared};
use crate::websocket::message::Limits;
use crate::websocket::{Io, WebSocket, accept_key};

/// What the service answers.
pub type ServiceResponse = Response<Full<Bytes>>;

/// The content type of what a poll brings.
const POLL_TYPE: &str = "text/plain; charset=UTF-8";

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<B> tower_service::Service<Request<B>> for Server
where
    B: Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = ServiceResponse;
    type Error = Infallible;
    type Future = BoxFuture<Result<ServiceResponse, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(answer(&shared, request).await) })
    }
}

async fn answer<B>(shared: &Arc<Shared>, request: Request<B>) -> ServiceResponse
where
    B: Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let is_upgrade = handshake::is_websocket_upgrade(request.headers());
    let asked = handshake::parse(request.method(), request.uri().query().unwrap_or(""), is_upgrade);
    let (transport, sid) = match asked {
        Ok(handshake::Request::Open(_)) if shared.is_draining() => {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down");
        }
        Ok(handshake::Request::Open(TransportName::Polling)) => {
            let opening = Opening::of(&request, shared.config().keep_handshakes, SystemTime::now());
            return match shared.open(opening, None) {
                // The handshake packet waits already, and is short.
                Some(session) => poll(shared, session, None).await,
                None => plain(StatusCode::TOO_MANY_REQUESTS, "too many connections from this address"),
            };
        }
        Ok(handshake::Request::Open(TransportName::WebSocket)) => {
            let opening = Opening::of(&request, shared.config().keep_handshakes, SystemTime::now());
            let shared = Arc::clone(shared);
            return upgrade_websocket(&shared.clone(), request, move |websocket| {
                // Over the limit, the connection is closed without a word.
                drop(shared.open(opening, Some(websocket)));
            });
        }
        Ok(handshake::Request::Existing(transport, sid)) => (transport, sid),
        Err(error) => return coded(error),
    };
    let Some(session) = shared.sessions.find(&sid) else { return coded(HandshakeError::UnknownSid) };
    drop(sid);
    if is_upgrade {
        if transport != TransportName::WebSocket || request.method() != Method::GET {
            return coded(HandshakeError::BadRequest);
        }
        let Ok(probe) = Probe::new(session) else {
            // As the official server does: the WebSocket opens, and is closed.
            return upgrade_websocket(shared, request, |websocket| {
                tokio::spawn(websocket.close(1002, Duration::from_secs(1)));
            });
        };
        let time = shared.config().upgrade_timeout;
        return upgrade_websocket(shared, request, move |websocket| {
            tokio::spawn(upgrade::probe(websocket, probe, time));
        });
    }
    if transport != TransportName::Polling {
        return coded(HandshakeError::BadRequest);
    }
    match *request.method() {
        Method::GET => {
            let encoding = Encoding::accepted(request.headers());
            drop(request);
            poll(shared, session, encoding).await
        }
        Method::POST => post(shared, session, request).await,
        _ => coded(HandshakeError::BadRequest),
    }
}

/// Answers a GET once there is something to send. The request itself is not kept while it waits.
async fn poll(shared: &Shared, session: Arc<SessionHandle>, encoding: Option<Encoding>) -> ServiceResponse {
    let payload = match Poller::new(session) {
        Ok(poller) => poller.body().await,
        Err(refused) => Err(refused),
    };
    let payload = match payload {
        Ok(payload) => payload,
        Err(refused) => return coded(refused.into()),
    };
    let waiting = &shared.sessions.shared.waiting;
    // It still waits, for the client to take it.
    let payload = waiting.counted(payload);
    let is_long = shared.config().compression_threshold.is_some_and(|threshold| payload.len() >= threshold);
    if let Some(encoding) = encoding.filter(|_| is_long)
        && let Some(compressed) = encoding.compress(&payload).await
    {
        let mut response = ok(POLL_TYPE, waiting.counted(compressed));
        response.headers_mut().insert(header::CONTENT_ENCODING, encoding.header());
        return response;
    }
    ok(POLL_TYPE, payload)
}

async fn post<B>(shared: &Arc<Shared>, session: Arc<SessionHandle>, request: Request<B>) -> ServiceResponse
where
    B: Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // The content type says nothing: python-engineio 4.2, for one, calls its text `application/octet-stream`.
    let poster = match Poster::new(Arc::clone(&session)) {
        Ok(poster) => poster,
        Err(refused) => return coded(refused.into()),
    };
    let limit = shared.config().max_payload;
    let announced = request.body().size_hint().lower();
    if announced > limit as u64 {
        poster.cancel();
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "");
    }
    // The body counts until the session has worked through it.
    let mut held = Held::new(&shared.sessions.shared.unfinished);
    let body = read(shared, Limited::new(request.into_body(), limit), &mut held);
    let body = match tokio::time::timeout(shared.config().body_timeout, body).await {
        Ok(Ok(Some(body))) => body,
        Ok(Ok(None)) => {
            tracing::debug!(sid = %session.log_id(), "a polling body is over its share of all unfinished messages");
            poster.cancel();
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "");
        }
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            poster.cancel();
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "");
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, sid = %session.log_id(), "a polling body broke off");
            return coded(HandshakeError::BadRequest);
        }
        Err(_) => {
            tracing::debug!(sid = %session.log_id(), "a polling body did not come in time");
            return plain(StatusCode::REQUEST_TIMEOUT, "");
        }
    };
    let packets = body.iter().filter(|byte| **byte == crate::engine::packet::SEPARATOR).count() + 1;
    if packets > shared.config().max_packets_per_body {
        session.close(CloseReason::ParseError);
        return coded(HandshakeError::BadRequest);
    }
    match poster.deliver(body).await {
        // The client's own close packet is an orderly end, as is the server's.
        Ok(()) | Err(CloseReason::TransportClose) => ok("text/html", "ok"),
        Err(reason) if reason.is_orderly() => ok("text/html", "ok"),
        Err(_) => coded(HandshakeError::BadRequest),
    }
}

/// Reads a body to its end; `None` if the unfinished messages of all clients are over their budget, and this body is over
/// its session's share.
async fn read<B>(
    shared: &Shared,
    body: Limited<B>,
    held: &mut Held<'_>,
) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>>
where
    B: Body,
    B::Data: Buf,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        bytes.put(data);
        // A buffer that grows has up to twice the room that its bytes need.
        if !held.grow(bytes.capacity(), shared.sessions.shared.open_sessions()) {
            return Ok(None);
        }
    }
    Ok(Some(bytes.freeze()))
}

/// Answers 101 and gives the WebSocket to `open` once the connection is ours.
fn upgrade_websocket<B>(
    shared: &Arc<Shared>,
    mut request: Request<B>,
    open: impl FnOnce(WebSocket) + Send + 'static,
) -> ServiceResponse {
    let headers = request.headers();
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| accept_key(key.as_bytes()));
    let is_version_13 =
        headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version.as_bytes() == b"13");
    let (Some(accept), Ok(subprotocol)) = (key.filter(|_| is_version_13), handshake::subprotocol(headers))
    else {
        let mut response = coded(HandshakeError::BadRequest);
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return response;
    };
    let misses_close_frames = handshake::misses_close_frames(headers);
    let upgraded = hyper::upgrade::on(&mut request);
    let limits = Limits { message: shared.config().max_payload, fragments: shared.config().max_fragments };
    tokio::spawn(async move {
        let upgraded = match upgraded.await {
            Ok(upgraded) => upgraded,
            Err(error) => return tracing::debug!(%error, "a connection broke during its upgrade"),
        };
        let mut websocket = over(upgraded, limits);
        if misses_close_frames {
            websocket.omit_close_frame();
        }
        open(websocket);
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(
        header::SEC_WEBSOCKET_ACCEPT,
        HeaderValue::from_str(&accept).expect("base64 is a valid header value"),
    );
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}

/// A WebSocket over what hyper gives back: our own listener's stream, or that of another server on tokio. What hyper had
/// read ahead of the upgrade comes first.
fn over(upgraded: Upgraded, limits: Limits) -> WebSocket {
    match upgraded.downcast::<TokioIo<AcceptedStream>>() {
        Ok(parts) => {
            let mut stream = parts.io.into_inner();
            stream.end_http();
            WebSocket::new(Box::new(stream), &parts.read_buf, limits)
        }
        Err(upgraded) => match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => WebSocket::new(Box::new(parts.io.into_inner()), &parts.read_buf, limits),
            Err(upgraded) => WebSocket::new(Box::new(TokioIo::new(upgraded)), &[], limits),
        },
    }
}

impl Io for TokioIo<Upgraded> {}

impl From<Refused> for HandshakeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownSession => Self::UnknownSid,
            Refused::BadRequest => Self::BadRequest,
        }
    }
}

/// A coded error, as the official server answers it.
fn coded(error: HandshakeError) -> ServiceResponse {
    let mut response =
        Response::new(Full::from(format!(r#"{{"code":{},"message":"{error}"}}"#, error.code())));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn ok(kind: &'static str, body: impl Into<Bytes>) -> ServiceResponse {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn plain(status: StatusCode, text: &'static str) -> ServiceResponse {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}
