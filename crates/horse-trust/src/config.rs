//! The settings: flag over environment over `.env` file. A bad value is an error that names it.

mod flags;
mod origins;
mod parse;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

pub use self::flags::Flags;
use self::origins::parse_origins;
pub use self::origins::{CorsOrigins, OriginList};
pub use self::parse::parse_duration;
use self::parse::{
    parse_bool, parse_bytes, parse_count, parse_database_url, parse_drain, parse_filter, parse_host,
    parse_log_format, parse_metrics_token, parse_networks, parse_node, parse_port, parse_rate,
    parse_redis_url, parse_threads,
};
use crate::chat::ChatConfig;

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
    /// Whether that is a Redis Cluster.
    pub redis_cluster: bool,
    /// How many threads serve, beside those of the store.
    pub worker_threads: NonZeroUsize,
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
        // The token is in the auth of CONNECT: nothing of a handshake is looked at.
        let mut engine = socketio::Config { keep_handshakes: false, ..socketio::Config::default() };
        let mut listener = socketio::ListenerConfig::default();
        let mut recovery = socketio::RecoveryConfig::default();
        set(&mut engine.outbox_limit, "OUTBOX_BYTES", flags.outbox_bytes.as_deref(), parse_bytes)?;
        set(&mut engine.max_payload, "MAX_PAYLOAD", flags.max_payload.as_deref(), parse_bytes)?;
        set(&mut engine.ping_interval, "PING_INTERVAL", flags.ping_interval.as_deref(), parse_duration)?;
        set(&mut engine.ping_timeout, "PING_TIMEOUT", flags.ping_timeout.as_deref(), parse_duration)?;
        set(&mut engine.write_timeout, "WRITE_TIMEOUT", flags.write_timeout.as_deref(), parse_duration)?;
        set(&mut listener.idle_timeout, "IDLE_TIMEOUT", flags.idle_timeout.as_deref(), parse_duration)?;
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
            cors_origins: CorsOrigins::Listed(OriginList::default()),
            database: None,
            allows_nodes_without_redis: false,
            redis_url: None,
            redis_cluster: false,
            worker_threads: all_cores_but_one(),
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
        set(&mut config.port, "PORT", flags.port.as_deref(), parse_port)?;
        set(&mut config.jwt_expires_in, "JWT_EXPIRES_IN", flags.jwt_expires_in.as_deref(), parse_duration)?;
        let origins = flags.cors_origins.as_deref().or(Some("http://localhost:5173"));
        set(&mut config.cors_origins, "CORS_ORIGINS", origins, parse_origins)?;
        let database = |text: &str| parse_database_url(text).map(Some);
        set(&mut config.database, "DATABASE_URL", flags.database_url.as_deref(), database)?;
        let chat = &mut config.chat;
        // Of what may wait for a client: it may ask for more before it has taken that.
        chat.slice_bytes = chat.slice_bytes.min(config.engine.outbox_limit / 4);
        set(&mut chat.message_rate, "MESSAGE_RATE", flags.message_rate.as_deref(), parse_rate)?;
        set(&mut chat.connection_rate, "CONNECTION_RATE", flags.connection_rate.as_deref(), parse_rate)?;
        set(&mut chat.edit_window, "EDIT_WINDOW", flags.edit_window.as_deref(), parse_duration)?;
        let retention = flags.withdrawn_retention.as_deref();
        set(&mut chat.withdrawn_retention, "WITHDRAWN_RETENTION", retention, parse_duration)?;
        set(&mut chat.presence_grace, "PRESENCE_GRACE", flags.presence_grace.as_deref(), parse_duration)?;
        set(&mut config.metrics_token, "METRICS_TOKEN", flags.metrics_token.as_deref(), parse_metrics_token)?;
        set(&mut config.drain_delay, "DRAIN_DELAY", flags.drain_delay.as_deref(), parse_drain)?;
        set(&mut config.drain_time, "DRAIN_TIME", flags.drain_time.as_deref(), parse_drain)?;
        let threads = flags.worker_threads.as_deref();
        set(&mut config.worker_threads, "WORKER_THREADS", threads, parse_threads)?;
        set(&mut config.redis_cluster, "REDIS_CLUSTER", flags.redis_cluster.as_deref(), parse_bool)?;
        set(&mut config.redis_url, "REDIS_URL", flags.redis_url.as_deref(), |text| {
            parse_redis_url(text, config.redis_cluster)
        })?;
        if config.redis_cluster && config.redis_url.is_none() {
            return Err(ConfigError::new(
                "REDIS_CLUSTER",
                "needs a REDIS_URL that names one of its nodes, or some",
            ));
        }
        let allow = flags.allow_nodes_without_redis.as_deref();
        set(&mut config.allows_nodes_without_redis, "ALLOW_NODES_WITHOUT_REDIS", allow, parse_bool)?;
        if config.redis_url.is_some() && matches!(config.database(), Database::Sqlite(_)) {
            let message =
                "needs a DATABASE_URL like postgres://…: a SQLite file is for one node, which needs no Redis";
            return Err(ConfigError::new("REDIS_URL", message));
        }
        set(&mut config.log, "LOG", flags.log.as_deref(), parse_filter)?;
        set(&mut config.log_format, "LOG_FORMAT", flags.log_format.as_deref(), parse_log_format)?;
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

/// How many threads serve. The store's thread and the kernel's work for the network have the last core. With a thread more, two on two cores
/// wake each other for every piece of work: 8 to 15 % more CPU a message, and fewer messages a second.
pub(crate) fn all_cores_but_one() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores - 1).unwrap_or(NonZeroUsize::MIN)
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

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
        assert!(
            matches!(&config.cors_origins, CorsOrigins::Listed(list) if list.contains("http://localhost:5173"))
        );
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
            (
                with(|flags| flags.worker_threads = Some("0".into())),
                "WORKER_THREADS: \"0\" is not a whole number from 1 to 1024",
            ),
            (
                with(|flags| flags.redis_url = Some("redis://a:1,redis://b:2".into())),
                "REDIS_URL: it names several servers: only a cluster has those, with REDIS_CLUSTER=true",
            ),
            (
                with(|flags| flags.redis_cluster = Some("true".into())),
                "REDIS_CLUSTER: needs a REDIS_URL that names one of its nodes, or some",
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
        let CorsOrigins::Listed(origins) = config.cors_origins else { panic!("not any origin") };
        assert!(origins.contains("https://a.example") && origins.contains("http://localhost:5173"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let config = with(|flags| flags.jwt_secret = Some("hush".into())).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
