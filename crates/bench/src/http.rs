//! A client of the HTTP interface; with it, people and conversations for a server that this program did not start.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
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
    Connection::open(server)?.request("POST", path, token, &body.to_string())
}

/// A connection on which one request follows the other.
pub(crate) struct Connection {
    server: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).with_context(|| format!("connecting to {server}"))?;
        stream.set_read_timeout(Some(TIME_LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self { server, stream: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str, token: &str) -> Result<Value> {
        self.request("GET", path, Some(token), "")
    }

    fn request(&mut self, method: &str, path: &str, token: Option<&str>, body: &str) -> Result<Value> {
        let authorization =
            token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{authorization}\
             Content-Length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (status, content) = self.response().with_context(|| format!("the answer to {method} {path}"))?;
        if !status.starts_with('2') {
            bail!("{method} {path}: {status} {content}");
        }
        serde_json::from_str(&content).with_context(|| format!("{method} {path}: {content}"))
    }

    fn response(&mut self) -> Result<(String, String)> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).context("no HTTP answer")?.to_owned();
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
        }
        let mut content = vec![0; length.context("the answer has no length")?];
        self.stream.read_exact(&mut content)?;
        Ok((status, String::from_utf8(content)?))
    }
}
