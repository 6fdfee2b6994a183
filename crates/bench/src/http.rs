//! People and conversations by the HTTP interface, for a server that this program did not start.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::world;

const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Two people who write to each other.
pub(crate) struct RegisteredPair {
    pub(crate) auths: [String; 2],
    pub(crate) conversation: String,
}

/// Registers two people and opens their conversation; `run` keeps the e-mail addresses of runs apart.
pub(crate) fn register_pair(server: SocketAddr, run: u64, index: usize) -> Result<RegisteredPair> {
    let [first, second] = [register(server, run, 2 * index)?, register(server, run, 2 * index + 1)?];
    let answer =
        post(server, "/api/chat/conversations", Some(&first.token), &json!({ "recipient_id": second.id }))?;
    let conversation = text_at(&answer, &["/data/_id", "/data/id"])?;
    Ok(RegisteredPair { auths: [world::auth(&first.token), world::auth(&second.token)], conversation })
}

struct Account {
    id: String,
    token: String,
}

fn register(server: SocketAddr, run: u64, index: usize) -> Result<Account> {
    let body = json!({
        "email": format!("rider{index}.{run:x}@example.org"),
        "password": "load generator",
        "full_name": format!("Rider {index}"),
    });
    let answer = post(server, "/api/auth/register", None, &body)?;
    Ok(Account { id: text_at(&answer, &["/user/id"])?, token: text_at(&answer, &["/token"])? })
}

fn text_at(answer: &Value, pointers: &[&str]) -> Result<String> {
    let found = pointers.iter().find_map(|pointer| answer.pointer(pointer)?.as_str());
    found.map(str::to_owned).with_context(|| format!("the answer lacks {}: {answer}", pointers[0]))
}

fn post(server: SocketAddr, path: &str, token: Option<&str>, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: {server}\r\nContent-Type: application/json\r\n{authorization}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server).with_context(|| format!("connecting to {server}"))?;
    stream.set_read_timeout(Some(TIME_LIMIT))?;
    stream.write_all(request.as_bytes())?;
    // HTTP/1.0: no chunks, and the answer ends with the connection.
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("waiting for the answer of {path}"))?;
    let (head, content) = answer.split_once("\r\n\r\n").with_context(|| format!("{path}: no HTTP answer"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("POST {path}: {status} {content}");
    }
    serde_json::from_str(content).with_context(|| format!("POST {path}: {content}"))
}
