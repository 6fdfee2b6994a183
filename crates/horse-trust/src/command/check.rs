//! `horse-trust check`: tries what the settings name, without starting. It makes no file, runs no migration, and sends the
//! webhooks' receivers nothing.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use url::{Host, Url};

use crate::auth::Tokens;
use crate::bus;
use crate::config::{Config, ConfigError, Database, WebhookUrl};
use crate::http_client;
use crate::store::{postgres, sqlite};

/// How long a webhook's receiver may take to connect, and for each read and write of the TLS handshake.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What was found: a line each, those of `problems` with the name of their setting.
#[derive(Debug, Default)]
pub struct Findings {
    /// What works.
    pub good: Vec<String>,
    /// What does not.
    pub problems: Vec<String>,
}

impl Findings {
    /// Adds a result of trying the setting `name`.
    fn add(&mut self, name: &str, result: Result<String, String>) {
        match result {
            Ok(good) => self.good.push(format!("{name}: {good}")),
            Err(problem) => self.problems.push(format!("{name}: {problem}")),
        }
    }
}

/// Tries everything that `config` names. Its own form, and the files of secrets, have been checked.
pub async fn check(config: &Config) -> Findings {
    let mut findings = Findings::default();
    if let Err(error) = Tokens::from_config(config) {
        findings.problems.push(error.to_string());
    }
    let store = match config.database() {
        Database::Sqlite(path) => sqlite::check(&path).map_err(|error| error.to_string()),
        Database::Postgres(url) => postgres::check(url.expose()).await.map_err(|error| error.to_string()),
    };
    findings.add("DATABASE_URL", store);
    if let Some(urls) = &config.redis_url {
        match bus::check_redis(urls.expose(), config.redis_cluster).await {
            Ok(()) => findings.good.push("REDIS_URL: answers, and lets us publish and subscribe".to_owned()),
            Err(error) => findings.problems.push(error.to_string()),
        }
    }
    if !config.webhook_url.is_empty() {
        let tls = http_client::tls().map(Arc::new).map_err(|error| error.to_string());
        for url in &config.webhook_url {
            let (url, tls) = (url.clone(), tls.clone());
            let tried = tokio::task::spawn_blocking(move || try_receiver(&url, tls?));
            findings.add("WEBHOOK_URL", tried.await.unwrap_or_else(|error| Err(error.to_string())));
        }
    }
    findings
}

/// What is wrong with settings that could not even be read.
impl From<ConfigError> for Findings {
    fn from(error: ConfigError) -> Self {
        Self { good: Vec::new(), problems: vec![error.to_string()] }
    }
}

/// Connects to a receiver, over TLS if its URL says so, and closes the connection.
fn try_receiver(url: &WebhookUrl, tls: Arc<ClientConfig>) -> Result<String, String> {
    let connected = connect(url.expose()).and_then(|stream| match url.expose().scheme() {
        "https" => {
            shake_hands(url.expose(), stream, tls).map(|()| "connects, and its certificate is accepted")
        }
        _ => Ok("connects"),
    });
    let origin = url.origin();
    connected.map(|good| format!("{origin}: {good}")).map_err(|error| format!("{origin}: {error}"))
}

fn connect(url: &Url) -> io::Result<TcpStream> {
    let mut last_error = io::Error::other("its host has no address");
    for address in url.socket_addrs(|| None)? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn shake_hands(url: &Url, mut stream: TcpStream, tls: Arc<ClientConfig>) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
        Some(Host::Ipv4(address)) => std::net::IpAddr::from(address).into(),
        Some(Host::Ipv6(address)) => std::net::IpAddr::from(address).into(),
        None => return Err(io::Error::other("it names no host")),
    };
    let mut connection = ClientConnection::new(tls, name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    connection.send_close_notify();
    // Only a courtesy: the receiver has shown all that was asked.
    drop(connection.complete_io(&mut stream));
    Ok(())
}
