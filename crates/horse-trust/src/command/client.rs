//! Requests to `/api/admin` of a running server.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use http::{Method, StatusCode};
use reqwest::{Client, Response};
use serde_json::Value;
use url::Url;

use crate::config::Secret;
use crate::http_client;

/// How long a request may take; an erasure is answered after 20 seconds at the latest.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How long may pass until the next bytes of a download, which takes as long as it takes.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest answer that is read, in bytes. A list of a hundred reports with the longest texts is shorter.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Which server, and who asks.
#[derive(Debug, Args)]
pub struct Server {
    /// The server's address, with its `BASE_PATH` if it has one
    #[arg(long, env = "API_URL", value_name = "URL", default_value = "http://127.0.0.1:3000", value_parser = parse_url, global = true)]
    pub url: Url,
    /// One of the server's `API_KEYS`, or an admin's token; better in the environment than in the list of processes
    #[arg(long, env = "API_KEY", hide_env_values = true, value_name = "TEXT", value_parser = parse_key, global = true)]
    pub key: Option<Secret>,
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("{text:?}: {error}"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(format!("{text:?}: must be an http or https URL"))
    }
}

fn parse_key(text: &str) -> Result<Secret, String> {
    // What a header can't carry is refused without showing it.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("must be visible ASCII characters without spaces".to_owned());
    }
    Ok(Secret::new(text.to_owned()))
}

/// Why a command failed; one line.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Neither flag nor variable.
    #[error("API_KEY: give one of the server's API_KEYS, or an admin's token (--key)")]
    NoKey,
    /// The client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(String),
    /// No answer.
    #[error("API_URL: {url}: {problem}")]
    Unreachable {
        /// The address.
        url: Url,
        /// What went wrong.
        problem: String,
    },
    /// The output takes nothing more.
    #[error("the output could not be written: {0}")]
    Output(#[from] std::io::Error),
    /// The server refused.
    #[error("the server answered {status}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// The server's message, and what is wrong with each field.
        message: String,
    },
}

/// A client of one server.
pub struct AdminClient {
    client: Client,
    url: Url,
    key: Secret,
}

impl AdminClient {
    /// A client of `server`.
    pub fn new(server: Server) -> Result<Self, CallError> {
        let key = server.key.ok_or(CallError::NoKey)?;
        let builder = http_client::builder().map_err(|error| CallError::Client(error.to_string()))?;
        let builder = builder.connect_timeout(TIMEOUT).read_timeout(DOWNLOAD_TIMEOUT);
        let client = builder.build().map_err(|error| CallError::Client(error.to_string()))?;
        Ok(Self { client, url: server.url, key })
    }

    /// The JSON that the server answers to a request below `/api/admin`. Each of `path` is one segment; they and the query
    /// are encoded here.
    pub async fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, CallError> {
        self.request_with_status(method, path, query, body).await.map(|(_, answer)| answer)
    }

    /// As [`AdminClient::request`], with the status: 202 is for what goes on after the answer.
    pub async fn request_with_status(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), CallError> {
        let mut request = self.client.request(method, self.address(path, query)?).timeout(TIMEOUT);
        if let Some(body) = body {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let mut response = self.send(request).await?;
        let status = response.status();
        let answer = self.json(&mut response).await?;
        if status.is_success() {
            Ok((status, answer))
        } else {
            Err(CallError::Refused { status: status.as_u16(), message: refusal(&answer) })
        }
    }

    /// Writes what the server answers to `GET` below `/api/admin` to `output`, as it comes. An answer that breaks off is an
    /// error; what came before it was written.
    pub async fn download(&self, path: &[&str], output: &mut (dyn Write + Send)) -> Result<(), CallError> {
        let mut response = self.send(self.client.get(self.address(path, &[])?)).await?;
        let status = response.status();
        if !status.is_success() {
            let answer = self.json(&mut response).await?;
            return Err(CallError::Refused { status: status.as_u16(), message: refusal(&answer) });
        }
        while let Some(part) = response.chunk().await.map_err(|error| self.failed(error))? {
            output.write_all(&part)?;
        }
        Ok(output.flush()?)
    }

    fn address(&self, path: &[&str], query: &[(&str, String)]) -> Result<Url, CallError> {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .map_err(|()| self.unreachable("has no path".to_owned()))?
            .pop_if_empty()
            .extend(["api", "admin"])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, CallError> {
        request.bearer_auth(self.key.expose()).send().await.map_err(|error| self.failed(error))
    }

    /// The whole answer.
    async fn json(&self, response: &mut Response) -> Result<Value, CallError> {
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.failed(error))? {
            if answer.len() + part.len() > MAX_ANSWER {
                return Err(self.unreachable("the answer is too long".to_owned()));
            }
            answer.extend_from_slice(&part);
        }
        let status = response.status();
        let is_no_json = |_| self.unreachable(format!("answered {status} without JSON: is this the server?"));
        serde_json::from_slice(&answer).map_err(is_no_json)
    }

    fn failed(&self, error: reqwest::Error) -> CallError {
        self.unreachable(causes(&error.without_url()))
    }

    fn unreachable(&self, problem: String) -> CallError {
        CallError::Unreachable { url: self.url.clone(), problem }
    }
}

/// An error with what caused it: the client's own says only that a request failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What a refusal says, with its fields.
fn refusal(answer: &Value) -> String {
    let message = answer["message"].as_str().unwrap_or("no message");
    let fields = answer["errors"].as_array().into_iter().flatten().filter_map(|error| error["msg"].as_str());
    let parts: Vec<_> = std::iter::once(message).chain(fields).map(super::shown).collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_which_fields() {
        let answer = serde_json::json!({"message": "Validation error", "errors": [{"path": "state", "msg": "state must be x"}]});
        assert_eq!(refusal(&answer), "Validation error; state must be x");
        assert_eq!(refusal(&serde_json::json!([])), "no message");
    }

    #[test]
    fn addresses_and_keys_are_checked() {
        assert!(parse_url("https://chat.example.com/chat").is_ok());
        for text in ["", "chat.example.com", "ftp://example.com", "file:///etc"] {
            assert!(parse_url(text).is_err(), "{text}");
        }
        for text in ["", "with space", "line\nend", "ñ"] {
            let error = parse_key(text).unwrap_err();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}
