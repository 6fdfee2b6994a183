//! Bodies of requests, bounded in size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt as _;

use super::ApiError;

/// The longest body, in bytes.
const MAX_BODY: usize = 100_000;
/// How much of a longer one is read and thrown away.
const MAX_DISCARDED: usize = 20_000_000;
/// How long a body may take to come.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Takes the whole body before the route is asked.
///
/// An answer that comes while the client still writes is lost to it: the connection is closed with bytes
/// unread, which resets it. So also what is refused at once, or too long, is read first.
pub(super) async fn take_whole(request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    Ok(next.run(Request::from_parts(parts, body.into())).await)
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    let read = tokio::time::timeout(TIMEOUT, read_to_end(body)).await;
    read.unwrap_or(Err(ApiError::Malformed("The body took too long")))
}

async fn read_to_end(mut body: Body) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::Malformed("The body could not be read"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if length > MAX_DISCARDED {
            break;
        }
    }
    if length > MAX_BODY { Err(ApiError::TooLarge) } else { Ok(bytes.into()) }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use tokio::time::{Instant, Sleep, sleep};

    use super::*;

    #[tokio::test]
    async fn long_bodies_are_refused() {
        assert_eq!(read(vec![b' '; MAX_BODY].into()).await.unwrap().len(), MAX_BODY);
        for length in [MAX_BODY + 1, MAX_DISCARDED + 1] {
            assert_eq!(read(vec![b' '; length].into()).await, Err(ApiError::TooLarge));
        }
    }

    /// A body that brings a space every ten seconds, and never ends.
    struct Drip(Pin<Box<Sleep>>);

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::ready!(self.0.as_mut().poll(context));
            self.0 = Box::pin(sleep(Duration::from_secs(10)));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_cut_off() {
        let begin = Instant::now();
        let body = Body::new(Drip(Box::pin(sleep(Duration::ZERO))));
        assert_eq!(read(body).await, Err(ApiError::Malformed("The body took too long")));
        assert_eq!(begin.elapsed().as_secs(), TIMEOUT.as_secs());
    }
}
