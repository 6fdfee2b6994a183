//! The settings: flag over environment over `.env` file. A bad value is an error that names it.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::HeaderValue;
use ipnet::IpNet;

use crate::chat::ChatConfig;

/// The flags, each also an environment variable. Text, so that a bad value is reported in one line here.
#[derive(Args, Clone, Default)]
pub struct Flags {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, env = "HOST", hide_env = true)]
    pub host: Option<String>,
    /// Port to listen on; 0 takes a free one [default: 3000]
    #[arg(long, env = "PORT", hide_env = true)]
    pub port: Option<String>,
    /// Secret that tokens are signed with
    #[arg(long, env = "JWT_SECRET", hide_env = true)]
    pub jwt_secret: Option<String>,
    /// How long issued tokens are valid: 30m, 12h, 7d [default: 7d]
    #[arg(long, env = "JWT_EXPIRES_IN", hide_env = true)]
    pub jwt_expires_in: Option<String>,
    /// Origins that browsers may call from.
    #[arg(long, env = "CORS_ORIGINS", hide_env = true, help = CORS_ORIGINS_HELP)]
    pub cors_origins: Option<String>,
    /// Where data is kept.
    #[arg(long, env = "DATABASE_URL", hide_env = true, help = DATABASE_URL_HELP)]
    pub database_url: Option<String>,
    /// Redis for several nodes over one PostgreSQL.
    #[arg(long, env = "REDIS_URL", hide_env = true, help = REDIS_URL_HELP)]
    pub redis_url: Option<String>,
    /// Lets several nodes share a PostgreSQL without Redis: people on different nodes do not hear each other live
    /// [default: false]
    #[arg(long, env = "ALLOW_NODES_WITHOUT_REDIS", hide_env = true)]
    pub allow_nodes_without_redis: Option<String>,
    /// Messages a second and user, with bursts of five times as many; 0 is no limit [default: 10]
    #[arg(long, env = "MESSAGE_RATE", hide_env = true)]
    pub message_rate: Option<String>,
    /// Connections a second and user, with bursts of 200 times as many; 0 is no limit [default: 100]
    #[arg(long, env = "CONNECTION_RATE", hide_env = true)]
    pub connection_rate: Option<String>,
    /// What is logged: a level, or a tracing filter [default: info]
    #[arg(long, env = "LOG", hide_env = true)]
    pub log: Option<String>,
    /// How it is logged: pretty or json [default: pretty]
    #[arg(long, env = "LOG_FORMAT", hide_env = true)]
    pub log_format: Option<String>,
    /// Proxies whose X-Forwarded-For is believed: addresses or networks, comma-separated [default: none]
    #[arg(long, env = "TRUSTED_PROXIES", hide_env = true)]
    pub trusted_proxies: Option<String>,
    /// Connections in all [default: as many as the process may have open files]
    #[arg(long, env = "MAX_CONNECTIONS", hide_env = true)]
    pub max_connections: Option<String>,
    /// Connections of one address [default: no limit]
    #[arg(long, env = "MAX_CONNECTIONS_PER_ADDRESS", hide_env = true)]
    pub max_connections_per_address: Option<String>,
    /// Bytes that may wait to be sent to one client, which is closed beyond [default: 1048576]
    #[arg(long, env = "OUTBOX_BYTES", hide_env = true)]
    pub outbox_bytes: Option<String>,
    /// Bytes that one message of a client may have [default: 100000]
    #[arg(long, env = "MAX_PAYLOAD", hide_env = true)]
    pub max_payload: Option<String>,
    /// Time between heartbeats [default: 25s]
    #[arg(long, env = "PING_INTERVAL", hide_env = true)]
    pub ping_interval: Option<String>,
    /// How long the answer to a heartbeat may take [default: 20s]
    #[arg(long, env = "PING_TIMEOUT", hide_env = true)]
    pub ping_timeout: Option<String>,
    /// How long a client may take no byte of what waits for it [default: 20s]
    #[arg(long, env = "WRITE_TIMEOUT", hide_env = true)]
    pub write_timeout: Option<String>,
    /// How long a lost connection can be recovered [default: 2m]
    #[arg(long, env = "RECOVERY_WINDOW", hide_env = true)]
    pub recovery_window: Option<String>,
    /// How long a message can be edited and deleted by its sender [default: 15m]
    #[arg(long, env = "EDIT_WINDOW", hide_env = true)]
    pub edit_window: Option<String>,
    /// How long texts that were edited away or deleted are kept for admins [default: 90d]
    #[arg(long, env = "WITHDRAWN_RETENTION", hide_env = true)]
    pub withdrawn_retention: Option<String>,
    /// How long a user may be without a connection before others see it [default: 5s]
    #[arg(long, env = "PRESENCE_GRACE", hide_env = true)]
    pub presence_grace: Option<String>,
    /// Bearer token of /metrics, which without one is for this machine alone [default: none]
    #[arg(long, env = "METRICS_TOKEN", hide_env = true)]
    pub metrics_token: Option<String>,
    /// How long at the end all is served on while /ready says 503 [default: 0s]
    #[arg(long, env = "DRAIN_DELAY", hide_env = true)]
    pub drain_delay: Option<String>,
    /// Over how long at the end connections are closed, one after another [default: 2s]
    #[arg(long, env = "DRAIN_TIME", hide_env = true)]
    pub drain_time: Option<String>,
    /// Name of this node, with which its session ids begin: a to z, 0 to 9, at most 16 [default: none]
    #[arg(long, env = "NODE", hide_env = true)]
    pub node: Option<String>,
}

// Not as doc comments: rustdoc wants URLs to be links there, which a terminal would show as such.
const CORS_ORIGINS_HELP: &str = "Origins that browsers may call from, comma-separated; * is any, without \
                                 credentials [default: http://localhost:5173]";
const DATABASE_URL_HELP: &str = "Where data is kept: sqlite://path, or postgres://user:password@host/database \
                                 [default: sqlite://data/horse-trust.db]";

const REDIS_URL_HELP: &str = "Redis or Valkey, if several nodes share one PostgreSQL: redis://host:6379 \
                              [default: none]";

/// A setting that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct ConfigError {
    name: &'static str,
    message: String,
}

impl ConfigError {
    fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// The origins that browsers may call from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Any, without credentials.
    Any,
    /// These alone, with credentials.
    Exact(Vec<HeaderValue>),
}

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In a file, for one node.
    Sqlite(PathBuf),
    /// In a PostgreSQL, which several nodes may share; the URL may hold a password.
    Postgres(Secret),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: an object a line.
    Json,
}

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on.
    pub host: String,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Secret that tokens are signed with; `serve` needs one.
    pub jwt_secret: Option<Secret>,
    /// How long issued tokens are valid.
    pub jwt_expires_in: Duration,
    /// The origins that browsers may call from.
    pub cors_origins: CorsOrigins,
    /// The store; `None` if `DATABASE_URL` was not given.
    pub database: Option<Database>,
    /// Whether several nodes may share a PostgreSQL without telling each other.
    pub allows_nodes_without_redis: bool,
    /// What connects several nodes; may hold a password.
    pub redis_url: Option<Secret>,
    /// The chat's limits and times.
    pub chat: ChatConfig,
    /// A tracing filter.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What opens the metrics to others than this machine.
    pub metrics_token: Option<Secret>,
    /// How long at the end all is served on while new clients are sent elsewhere.
    pub drain_delay: Duration,
    /// Over how long at the end connections are closed.
    pub drain_time: Duration,
    /// The engine's bounds.
    pub engine: socketio::Config,
    /// The accept loop's bounds.
    pub listener: socketio::ListenerConfig,
}

/// Where the store is if nothing is said.
pub const DEFAULT_DATABASE: &str = "data/horse-trust.db";

impl Config {
    /// Checks all settings.
    pub fn new(flags: &Flags) -> Result<Self, ConfigError> {
        let mut engine = socketio::Config::default();
        let mut listener = socketio::ListenerConfig::default();
        let mut recovery = socketio::RecoveryConfig::default();
        set(&mut engine.outbox_limit, "OUTBOX_BYTES", flags.outbox_bytes.as_deref(), parse_bytes)?;
        set(&mut engine.max_payload, "MAX_PAYLOAD", flags.max_payload.as_deref(), parse_bytes)?;
        set(&mut engine.ping_interval, "PING_INTERVAL", flags.ping_interval.as_deref(), parse_duration)?;
        set(&mut engine.ping_timeout, "PING_TIMEOUT", flags.ping_timeout.as_deref(), parse_duration)?;
        set(&mut engine.write_timeout, "WRITE_TIMEOUT", flags.write_timeout.as_deref(), parse_duration)?;
        set(&mut recovery.window, "RECOVERY_WINDOW", flags.recovery_window.as_deref(), parse_duration)?;
        engine.recovery = Some(recovery);
        set(&mut engine.session_prefix, "NODE", flags.node.as_deref(), parse_node)?;
        listener.write_timeout = engine.write_timeout;
        let count = |text: &str| parse_count(text).map(Some);
        set(&mut listener.max_connections, "MAX_CONNECTIONS", flags.max_connections.as_deref(), count)?;
        set(
            &mut listener.max_connections_per_address,
            "MAX_CONNECTIONS_PER_ADDRESS",
            flags.max_connections_per_address.as_deref(),
            count,
        )?;
        engine.max_sessions_per_address = listener.max_connections_per_address;
        let proxies = flags.trusted_proxies.as_deref();
        set(&mut listener.trusted_proxies, "TRUSTED_PROXIES", proxies, parse_networks)?;
        let mut config = Self {
            host: "127.0.0.1".to_owned(),
            port: 3000,
            jwt_secret: None,
            jwt_expires_in: Duration::from_hours(7 * 24),
            cors_origins: CorsOrigins::Exact(vec![HeaderValue::from_static("http://localhost:5173")]),
            database: None,
            allows_nodes_without_redis: false,
            redis_url: None,
            chat: ChatConfig::default(),
            log: "info".to_owned(),
            log_format: LogFormat::Pretty,
            metrics_token: None,
            drain_delay: Duration::ZERO,
            drain_time: Duration::from_secs(2),
            engine,
            listener,
        };
        set(&mut config.host, "HOST", flags.host.as_deref(), parse_host)?;
        set(&mut config.port, "PORT", flags.port.as_deref(), |text| {
            text.parse().map_err(|_| format!("{text:?} is not a port (0 to 65535)"))
        })?;
        set(&mut config.jwt_expires_in, "JWT_EXPIRES_IN", flags.jwt_expires_in.as_deref(), parse_duration)?;
        set(&mut config.cors_origins, "CORS_ORIGINS", flags.cors_origins.as_deref(), parse_origins)?;
        let database = |text: &str| parse_database_url(text).map(Some);
        set(&mut config.database, "DATABASE_URL", flags.database_url.as_deref(), database)?;
        set(&mut config.chat.message_rate, "MESSAGE_RATE", flags.message_rate.as_deref(), |text| {
            text.parse().map(NonZeroU32::new).map_err(|_| format!("{text:?} is not a whole number from 0"))
        })?;
        set(&mut config.chat.connection_rate, "CONNECTION_RATE", flags.connection_rate.as_deref(), |text| {
            text.parse().map(NonZeroU32::new).map_err(|_| format!("{text:?} is not a whole number from 0"))
        })?;
        let chat = &mut config.chat;
        set(&mut chat.edit_window, "EDIT_WINDOW", flags.edit_window.as_deref(), parse_duration)?;
        let retention = flags.withdrawn_retention.as_deref();
        set(&mut chat.withdrawn_retention, "WITHDRAWN_RETENTION", retention, parse_duration)?;
        set(&mut chat.presence_grace, "PRESENCE_GRACE", flags.presence_grace.as_deref(), parse_duration)?;
        set(&mut config.metrics_token, "METRICS_TOKEN", flags.metrics_token.as_deref(), parse_metrics_token)?;
        set(&mut config.drain_delay, "DRAIN_DELAY", flags.drain_delay.as_deref(), parse_drain)?;
        set(&mut config.drain_time, "DRAIN_TIME", flags.drain_time.as_deref(), parse_drain)?;
        set(&mut config.redis_url, "REDIS_URL", flags.redis_url.as_deref(), |text| match text {
            "" => Ok(None),
            _ if text.starts_with("redis://") || text.starts_with("rediss://") => {
                Ok(Some(Secret::new(text.to_owned())))
            }
            _ => Err("it is not a URL like redis://127.0.0.1:6379".to_owned()),
        })?;
        let allow = flags.allow_nodes_without_redis.as_deref();
        set(&mut config.allows_nodes_without_redis, "ALLOW_NODES_WITHOUT_REDIS", allow, |text| {
            text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
        })?;
        if config.redis_url.is_some() && matches!(config.database(), Database::Sqlite(_)) {
            let message =
                "needs a DATABASE_URL like postgres://…: a SQLite file is for one node, which needs no Redis";
            return Err(ConfigError::new("REDIS_URL", message));
        }
        set(&mut config.log, "LOG", flags.log.as_deref(), |text| {
            let filter = text.parse::<tracing_subscriber::EnvFilter>();
            filter.map(|_| text.to_owned()).map_err(|_| format!("{text:?} is not a tracing filter"))
        })?;
        set(&mut config.log_format, "LOG_FORMAT", flags.log_format.as_deref(), |text| match text {
            "pretty" => Ok(LogFormat::Pretty),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("{text:?} is neither pretty nor json")),
        })?;
        config.jwt_secret = flags.jwt_secret.clone().filter(|secret| !secret.is_empty()).map(Secret);
        Ok(config)
    }

    /// The secret, or an error that says how to make one.
    pub fn require_secret(&self) -> Result<&Secret, ConfigError> {
        self.jwt_secret
            .as_ref()
            .ok_or_else(|| ConfigError::new("JWT_SECRET", "required; make one with: openssl rand -hex 32"))
    }

    /// The store.
    pub fn database(&self) -> Database {
        self.database.clone().unwrap_or_else(|| Database::Sqlite(DEFAULT_DATABASE.into()))
    }
}

/// Sets `field` if the setting was given.
fn set<T>(
    field: &mut T,
    name: &'static str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<(), ConfigError> {
    if let Some(text) = text {
        *field = parse(text.trim()).map_err(|message| ConfigError::new(name, message))?;
    }
    Ok(())
}

fn parse_host(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(format!("{text:?} is not an address"));
    }
    Ok(text.to_owned())
}

/// `90` (seconds), `90s`, `15m`, `12h`, `7d`, `2w`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let error = || format!("{text:?} is not a time like 30s, 15m, 12h or 7d");
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(error()),
    };
    let count: u64 = digits.trim().parse().map_err(|_| error())?;
    let seconds = count.checked_mul(unit).filter(|seconds| (1..=100 * 366 * 24 * 60 * 60).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(error)
}

/// A time, which may be none.
fn parse_drain(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { parse_duration(text) }
}

/// The prefix of a node's session ids: its name, and what parts it from the rest.
fn parse_node(text: &str) -> Result<Box<str>, String> {
    let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match text {
        "" => Ok("".into()),
        _ if is_name && text.len() <= 16 => Ok(format!("{text}-").into()),
        _ => Err(format!("{text:?} is not a name of at most 16 characters from a to z and 0 to 9")),
    }
}

fn parse_metrics_token(text: &str) -> Result<Option<Secret>, String> {
    match text.len() {
        0 => Ok(None),
        16.. => Ok(Some(Secret::new(text.to_owned()))),
        _ => Err("at least 16 characters; make one with: openssl rand -hex 32".to_owned()),
    }
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes| *bytes >= 1024)
        .ok_or_else(|| format!("{text:?} is not a number of bytes from 1024"))
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| format!("{text:?} is not a whole number from 1"))
}

fn parse_networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<std::net::IpAddr>().map(IpNet::from))
                .map_err(|_| format!("{part:?} is neither an address nor a network"))
        })
        .collect()
}

fn parse_origins(text: &str) -> Result<CorsOrigins, String> {
    if text == "*" {
        return Ok(CorsOrigins::Any);
    }
    let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let origins: Vec<_> = origins.map(parse_origin).collect::<Result<_, _>>()?;
    Ok(CorsOrigins::Exact(origins))
}

/// `scheme://host[:port]`, as browsers send it.
fn parse_origin(origin: &str) -> Result<HeaderValue, String> {
    let error = || format!("{origin:?} is not an origin like https://example.com");
    let uri: http::Uri = origin.parse().map_err(|_| error())?;
    let is_origin = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && !origin.ends_with('/')
        && uri.path_and_query().is_none_or(|path| path.as_str() == "/");
    if !is_origin {
        return Err(error());
    }
    HeaderValue::from_str(origin).map_err(|_| error())
}

fn parse_database_url(text: &str) -> Result<Database, String> {
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(Database::Postgres(Secret::new(text.to_owned())));
    }
    let path = text.strip_prefix("sqlite://").ok_or_else(|| {
        format!(
            "{:?} is not a URL like sqlite://data/horse-trust.db or postgres://user@host/database",
            redact(text)
        )
    })?;
    if path.is_empty() || path.ends_with('/') || path.contains(['?', '#', '\0']) {
        return Err(format!("{text:?} names no file"));
    }
    Ok(Database::Sqlite(path.into()))
}

/// A URL without what may be a password.
fn redact(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => format!("{}…{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Flags)) -> Result<Config, String> {
        let mut flags = Flags::default();
        change(&mut flags);
        Config::new(&flags).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_is_the_contracts_defaults() {
        let config = with(|_| {}).unwrap();
        assert_eq!((config.host.as_str(), config.port), ("127.0.0.1", 3000));
        assert_eq!(config.database(), Database::Sqlite("data/horse-trust.db".into()));
        assert_eq!(config.jwt_expires_in, Duration::from_hours(168));
        assert_eq!(config.chat.message_rate, NonZeroU32::new(10));
        assert!(config.require_secret().unwrap_err().to_string().contains("openssl rand"));
    }

    #[test]
    fn bad_values_are_named() {
        for (flags, message) in [
            (with(|flags| flags.port = Some("abc".into())), "PORT: \"abc\" is not a port (0 to 65535)"),
            (with(|flags| flags.port = Some("65536".into())), "PORT: \"65536\" is not a port (0 to 65535)"),
            (with(|flags| flags.host = Some(String::new())), "HOST: \"\" is not an address"),
            (
                with(|flags| flags.jwt_expires_in = Some("soon".into())),
                "JWT_EXPIRES_IN: \"soon\" is not a time like 30s, 15m, 12h or 7d",
            ),
            (
                with(|flags| flags.cors_origins = Some("example.com".into())),
                "CORS_ORIGINS: \"example.com\" is not an origin like https://example.com",
            ),
            (
                with(|flags| flags.database_url = Some("mysql://a:b@c/d".into())),
                "DATABASE_URL: \"mysql://…@c/d\" is not a URL like sqlite://data/horse-trust.db or postgres://user@host/database",
            ),
            (
                with(|flags| flags.database_url = Some("sqlite://".into())),
                "DATABASE_URL: \"sqlite://\" names no file",
            ),
            (
                with(|flags| flags.message_rate = Some("-1".into())),
                "MESSAGE_RATE: \"-1\" is not a whole number from 0",
            ),
            (
                with(|flags| flags.log_format = Some("xml".into())),
                "LOG_FORMAT: \"xml\" is neither pretty nor json",
            ),
            (with(|flags| flags.log = Some("a=b=c".into())), "LOG: \"a=b=c\" is not a tracing filter"),
            (
                with(|flags| flags.trusted_proxies = Some("10.0.0.1, x".into())),
                "TRUSTED_PROXIES: \"x\" is neither an address nor a network",
            ),
            (
                with(|flags| flags.max_payload = Some("10".into())),
                "MAX_PAYLOAD: \"10\" is not a number of bytes from 1024",
            ),
        ] {
            assert_eq!(flags.unwrap_err(), message);
        }
    }

    #[test]
    fn good_values_are_taken() {
        let config = with(|flags| {
            flags.cors_origins = Some("https://a.example, http://localhost:5173".into());
            flags.database_url = Some("sqlite:///var/lib/x.db".into());
            flags.message_rate = Some("0".into());
            flags.jwt_expires_in = Some("90m".into());
            flags.trusted_proxies = Some("10.0.0.0/8, ::1".into());
            flags.log = Some("info,socketio=debug".into());
        })
        .unwrap();
        assert_eq!(config.database(), Database::Sqlite("/var/lib/x.db".into()));
        assert_eq!(config.chat.message_rate, None);
        assert_eq!(config.jwt_expires_in, Duration::from_mins(90));
        assert_eq!(config.listener.trusted_proxies.len(), 2);
        assert!(matches!(config.cors_origins, CorsOrigins::Exact(origins) if origins.len() == 2));
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = with(|flags| flags.jwt_secret = Some("hush".into())).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
