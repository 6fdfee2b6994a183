//! Sends a signed event by HTTP, as the Standard Webhooks specification 1.0 has it.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, StatusCode};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook, WebhookError,
};
use tokio::time::{Instant, timeout_at};

use super::queue::Attempt;
use crate::config::{Secret, WebhookUrl};
use crate::timestamp::Timestamp;

/// How long a receiver has for its whole answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How much of an answer's body is read, so that the connection can be used again; one with more is closed.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long a connection is kept without an event.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends events to one URL.
pub(super) struct Sender {
    client: Client,
    url: WebhookUrl,
    keys: Vec<Webhook>,
}

impl Sender {
    /// A sender that signs with each of `secrets`: a receiver accepts either while one is changed.
    pub(super) fn new(client: Client, url: WebhookUrl, secrets: &[Secret]) -> Result<Self, WebhookError> {
        let keys = secrets.iter().map(|secret| Webhook::new(secret.expose())).collect::<Result<_, _>>()?;
        Ok(Self { client, url, keys })
    }

    /// A client for all senders.
    pub(super) fn client(most_idle: usize) -> Result<Client, String> {
        let builder = crate::http_client::builder().map_err(|error| error.to_string())?;
        builder
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(most_idle)
            .build()
            .map_err(|error| error.to_string())
    }

    /// Sends `body` once. Never fails otherwise than by its answer, and never takes longer than [`TIMEOUT`].
    pub(super) async fn send(&self, id: &str, body: String) -> Attempt {
        let deadline = Instant::now() + TIMEOUT;
        let Ok(seconds) = u32::try_from(Timestamp::now().0 / 1000) else {
            return Attempt::Failed("the clock is wrong".to_owned());
        };
        let signatures: Result<Vec<_>, _> =
            self.keys.iter().map(|key| key.sign(id, seconds.into(), body.as_bytes())).collect();
        let Ok(signatures) = signatures else { return Attempt::Failed("not signed".to_owned()) };
        let request = self
            .client
            .post(self.url.expose().clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(HEADER_WEBHOOK_ID, id)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
            .header(HEADER_WEBHOOK_SIGNATURE, signatures.join(" "))
            .body(body);
        match timeout_at(deadline, request.send()).await {
            Err(_) => Attempt::Failed(format!("no answer within {} s", TIMEOUT.as_secs())),
            Ok(Err(error)) => Attempt::Failed(reason(&error).to_owned()),
            Ok(Ok(mut answer)) => {
                let status = answer.status();
                let mut bytes = 0;
                // The status is the answer. The rest is read for the connection's sake alone.
                while let Ok(Ok(Some(chunk))) = timeout_at(deadline, answer.chunk()).await {
                    bytes += chunk.len();
                    if bytes > MAX_ANSWER_BYTES {
                        break;
                    }
                }
                match status {
                    _ if status.is_success() => Attempt::Received,
                    StatusCode::GONE => Attempt::Refused("410".to_owned()),
                    _ => Attempt::Failed(status.as_str().to_owned()),
                }
            }
        }
    }
}

/// Why there was no answer. The error's own text may have the URL in it.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "not connected, or its certificate is not accepted"
    } else {
        "the connection broke off"
    }
}
