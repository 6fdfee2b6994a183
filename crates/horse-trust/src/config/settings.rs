//! Each setting, once: its name, its default, its parser, and what it means. `--help` and `docs/configuration.md` are made
//! from this.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use super::error::ConfigError;
use super::origins::CorsOrigins;
use super::parse::{
    parse_api_keys, parse_bool, parse_bytes, parse_count, parse_database_url, parse_drain, parse_duration,
    parse_filter, parse_host, parse_log_format, parse_metrics_token, parse_networks, parse_node, parse_port,
    parse_rate, parse_redis_url, parse_secret, parse_system_name, parse_threads,
};
use super::values::{Database, LogFormat, Secret, all_cores_but_one};
use super::webhooks::{WebhookUrl, parse_webhook_events, parse_webhook_secrets, parse_webhook_urls};
use crate::store::EventKinds;

/// A value that may say that there is none, as an empty text or 0 does. To clap an `Option` is a flag that may be left
/// out, so it must not read this as one.
type Perhaps<T> = Option<T>;
/// As above, for a flag that may be given several times.
type Networks = Vec<IpNet>;
/// As above.
type Secrets = Vec<Secret>;

type WebhookUrls = Vec<WebhookUrl>;

/// All settings. Of each value the form was checked; [`Config::check`] checks how they go together.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address to listen on
    #[arg(long, env, hide_env = true, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = parse_host)]
    pub host: String,
    /// Port to listen on; 0 takes a free one
    #[arg(long, env, hide_env = true, value_name = "PORT", default_value = "3000", value_parser = parse_port)]
    pub port: u16,
    /// Secret that tokens are signed with; `openssl rand -hex 32` makes one. `serve` needs it [default: required]
    #[arg(long, env, hide_env = true, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = parse_secret)]
    pub jwt_secret: Perhaps<Secret>,
    /// How long tokens that are issued here are valid
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "7d", value_parser = parse_duration)]
    pub jwt_expires_in: Duration,
    /// Keys that open `/api/admin` to the platform, comma-separated, of at least 32 characters each; two at a time make a
    /// change of keys possible [default: none]
    #[arg(long, env, hide_env = true, value_name = "TEXTS", default_value = "", hide_default_value = true, value_parser = parse_api_keys)]
    pub api_keys: Secrets,
    /// Where events are sent to by HTTP, comma-separated [default: none]
    #[arg(long, env, hide_env = true, value_name = "URLS", default_value = "", hide_default_value = true, value_parser = parse_webhook_urls)]
    pub webhook_url: WebhookUrls,
    /// What events are signed with; `horse-trust webhooks secret` makes one. Two, comma-separated, make a change possible
    /// [default: required with a `WEBHOOK_URL`]
    #[arg(long, env, hide_env = true, value_name = "TEXTS", default_value = "", hide_default_value = true, value_parser = parse_webhook_secrets)]
    pub webhook_secret: Secrets,
    /// Which events are sent: `all`, or some of `message.created`, `message.updated`, `message.deleted`, `message.unseen`,
    /// `conversation.created`, `report.created`, `user.blocked` and `user.unblocked`, comma-separated
    #[arg(long, env, hide_env = true, value_name = "EVENTS", default_value = "all", value_parser = parse_webhook_events)]
    pub webhook_events: EventKinds,
    /// How long the recipient of an unread message is without a device before `message.unseen` is sent
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub unseen_after: Duration,
    /// Origins that browsers may call from, comma-separated.
    #[arg(long, env, hide_env = true, value_name = "ORIGINS", default_value = "http://localhost:5173", help = CORS_ORIGINS_HELP)]
    pub cors_origins: CorsOrigins,
    /// Where data is kept.
    #[arg(long, env, hide_env = true, value_name = "URL", value_parser = parse_database_url, help = DATABASE_URL_HELP)]
    pub database_url: Option<Database>,
    /// What connects several nodes over one PostgreSQL.
    #[arg(long, env, hide_env = true, value_name = "URL", default_value = "", hide_default_value = true, value_parser = parse_redis_url, help = REDIS_URL_HELP)]
    pub redis_url: Perhaps<Secret>,
    /// Whether that is a Redis Cluster of version 7 or later, or one of Valkey
    #[arg(long, env, hide_env = true, value_name = "BOOL", default_value = "false", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub redis_cluster: bool,
    /// Lets several nodes share a PostgreSQL without Redis. People on different nodes do not get each other's messages
    /// live, and an import beside is not noticed; names, blocks, suspensions and the end of sessions hold on all nodes
    /// within a second
    #[arg(long, env, hide_env = true, value_name = "BOOL", default_value = "false", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub allow_nodes_without_redis: bool,
    /// Threads that serve. The store and the kernel's work for the network have the last core [default: one fewer than
    /// there are cores]
    #[arg(long, env, hide_env = true, value_name = "COUNT", default_value_t = all_cores_but_one(), hide_default_value = true, value_parser = parse_threads)]
    pub worker_threads: NonZeroUsize,
    /// Messages a second and user, with bursts of five times as many. Joins and other requests may be ten times as many
    /// each; 0 is no limit on any of them
    #[arg(long, env, hide_env = true, value_name = "RATE", default_value = "10", value_parser = parse_rate)]
    pub message_rate: Perhaps<NonZeroU32>,
    /// Connections a second and user, with bursts of 200 times as many; 0 is no limit
    #[arg(long, env, hide_env = true, value_name = "RATE", default_value = "100", value_parser = parse_rate)]
    pub connection_rate: Perhaps<NonZeroU32>,
    /// What is logged: a level, or a tracing filter such as `warn,horse_trust=debug`
    #[arg(long, env, hide_env = true, value_name = "FILTER", default_value = "info", value_parser = parse_filter)]
    pub log: String,
    /// How it is logged: `pretty` for people, `json` for machines
    #[arg(long, env, hide_env = true, value_name = "FORMAT", default_value = "pretty", value_parser = parse_log_format)]
    pub log_format: LogFormat,
    /// Proxies whose `X-Forwarded-For` or `Forwarded` is believed: addresses or networks, comma-separated [default: none]
    #[arg(long, env, hide_env = true, value_name = "NETWORKS", default_value = "", hide_default_value = true, value_parser = parse_networks)]
    pub trusted_proxies: Networks,
    /// Connections in all; one more is closed at once [default: as many as the process may have open files, less 64]
    #[arg(long, env, hide_env = true, value_name = "COUNT", value_parser = parse_count)]
    pub max_connections: Option<usize>,
    /// Connections of one address; one more is closed at once [default: no limit]
    #[arg(long, env, hide_env = true, value_name = "COUNT", value_parser = parse_count)]
    pub max_connections_per_address: Option<usize>,
    /// Bytes that may wait to be sent to one client, which is closed beyond
    #[arg(long, env, hide_env = true, value_name = "BYTES", default_value = "1048576", value_parser = parse_bytes)]
    pub outbox_bytes: usize,
    /// Bytes that one message of a client may have
    #[arg(long, env, hide_env = true, value_name = "BYTES", default_value = "100000", value_parser = parse_bytes)]
    pub max_payload: usize,
    /// Time between heartbeats
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "25s", value_parser = parse_duration)]
    pub ping_interval: Duration,
    /// How long the answer to a heartbeat may take
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    pub ping_timeout: Duration,
    /// How long a client may take no byte of what waits for it
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    pub write_timeout: Duration,
    /// How long a connection may idle between HTTP requests; longer than a balancer in front keeps its own (nginx, most
    /// clouds: 60 s)
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "75s", value_parser = parse_duration)]
    pub idle_timeout: Duration,
    /// How long a lost connection can be recovered
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "2m", value_parser = parse_duration)]
    pub recovery_window: Duration,
    /// Name of the platform as the sender of its own messages, at most 100 characters
    #[arg(long, env, hide_env = true, value_name = "NAME", default_value = "Horse Trust", value_parser = parse_system_name)]
    pub system_name: Box<str>,
    /// How long a message can be edited and deleted by its sender
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "15m", value_parser = parse_duration)]
    pub edit_window: Duration,
    /// How long texts that were edited away or deleted are kept for admins
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "90d", value_parser = parse_duration)]
    pub withdrawn_retention: Duration,
    /// How long a user may be without a connection before others see it
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "5s", value_parser = parse_duration)]
    pub presence_grace: Duration,
    /// Bearer token that opens `/metrics`, of at least 16 characters; without one they are for this machine alone
    /// [default: none]
    #[arg(long, env, hide_env = true, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = parse_metrics_token)]
    pub metrics_token: Perhaps<Secret>,
    /// How long at the end all is served on while `/ready` says 503; `0s` is not at all
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "0s", value_parser = parse_drain)]
    pub drain_delay: Duration,
    /// Over how long at the end connections are closed, one after another; `0s` is at once
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "2s", value_parser = parse_drain)]
    pub drain_time: Duration,
    /// Name of this node, with which its session ids begin, so that a balancer finds the node of a polling session: at most
    /// 16 characters of a to z and 0 to 9 [default: none]
    #[arg(long, env, hide_env = true, value_name = "NAME", default_value = "", hide_default_value = true, value_parser = parse_node)]
    pub node: Box<str>,
}

// Not as doc comments: rustdoc wants URLs to be links there, which a terminal would show as such.
const CORS_ORIGINS_HELP: &str = "Origins that browsers may call from, comma-separated, compared as browsers write them: \
     https://example.com; https://*.example.com, every subdomain and not the domain itself; \
     capacitor://localhost and the like; * alone is any, without credentials";
const DATABASE_URL_HELP: &str = "Where data is kept: sqlite://path, made if absent, an absolute path with a third slash; or for several nodes \
     postgres://user:password@host/database, with ?sslmode=disable, prefer, require, verify-ca or verify-full \
     [default: sqlite://data/horse-trust.db]";
const REDIS_URL_HELP: &str = "Redis or Valkey, on each of several nodes over one PostgreSQL: redis://host:6379, or rediss:// over TLS; of a \
     cluster one or more of its servers, comma-separated [default: none]";

impl Config {
    /// Checks the settings that depend on others.
    pub fn check(self) -> Result<Self, ConfigError> {
        if !self.webhook_url.is_empty() && self.webhook_secret.is_empty() {
            let message = "required with a WEBHOOK_URL; make one with: horse-trust webhooks secret";
            return Err(ConfigError::new("WEBHOOK_SECRET", message));
        }
        let Some(url) = &self.redis_url else {
            let message = "needs a REDIS_URL that names one of its nodes, or some";
            return if self.redis_cluster {
                Err(ConfigError::new("REDIS_CLUSTER", message))
            } else {
                Ok(self)
            };
        };
        let message = if !self.redis_cluster && url.expose().contains(',') {
            "it names several servers: only a cluster has those, with REDIS_CLUSTER=true"
        } else if matches!(self.database(), Database::Sqlite(_)) {
            "needs a DATABASE_URL like postgres://…: a SQLite file is for one node, which needs no Redis"
        } else {
            return Ok(self);
        };
        Err(ConfigError::new("REDIS_URL", message))
    }

    /// The secret, or an error that says how to make one.
    pub fn require_secret(&self) -> Result<&Secret, ConfigError> {
        self.jwt_secret
            .as_ref()
            .ok_or_else(|| ConfigError::new("JWT_SECRET", "required; make one with: openssl rand -hex 32"))
    }

    /// The store.
    pub fn database(&self) -> Database {
        self.database_url.clone().unwrap_or_default()
    }

    /// The engine's bounds.
    pub fn engine(&self) -> socketio::Config {
        socketio::Config {
            outbox_limit: self.outbox_bytes,
            max_payload: self.max_payload,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            write_timeout: self.write_timeout,
            max_sessions_per_address: self.max_connections_per_address,
            // What parts a node's name from the rest of an id.
            session_prefix: if self.node.is_empty() { "".into() } else { format!("{}-", self.node).into() },
            recovery: Some(socketio::RecoveryConfig {
                window: self.recovery_window,
                ..socketio::RecoveryConfig::default()
            }),
            // The token is in the auth of CONNECT: nothing of a handshake is looked at.
            keep_handshakes: false,
            ..socketio::Config::default()
        }
    }

    /// The accept loop's bounds.
    pub fn listener(&self) -> socketio::ListenerConfig {
        socketio::ListenerConfig {
            write_timeout: self.write_timeout,
            idle_timeout: self.idle_timeout,
            max_connections: self.max_connections,
            max_connections_per_address: self.max_connections_per_address,
            trusted_proxies: self.trusted_proxies.clone(),
            ..socketio::ListenerConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{Command, FromArgMatches as _};

    use super::*;
    use crate::config::explain;

    /// What these flags say, whatever the environment of the tests.
    fn config(flags: &[&str]) -> Result<Config, String> {
        let command = Config::augment_args(Command::new("test").no_binary_name(true));
        let matches = command
            .clone()
            .mut_args(|argument| argument.env(Resettable::Reset))
            .try_get_matches_from(flags)
            .map_err(|error| explain(&error, &command))?;
        let config = Config::from_arg_matches(&matches).unwrap();
        config.check().map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_said_is_the_contracts_defaults() {
        let config = config(&[]).unwrap();
        assert_eq!((config.host.as_str(), config.port), ("127.0.0.1", 3000));
        assert_eq!(config.database(), Database::Sqlite("data/horse-trust.db".into()));
        assert_eq!(config.jwt_expires_in, Duration::from_hours(168));
        assert_eq!(config.message_rate, NonZeroU32::new(10));
        assert!(
            matches!(&config.cors_origins, CorsOrigins::Listed(list) if list.contains("http://localhost:5173"))
        );
        assert!(config.require_secret().unwrap_err().to_string().contains("openssl rand"));
        let (engine, listener) = (config.engine(), config.listener());
        let (default, known) = (socketio::Config::default(), socketio::ListenerConfig::default());
        assert_eq!(engine.outbox_limit, default.outbox_limit);
        assert_eq!((engine.max_payload, engine.write_timeout), (default.max_payload, default.write_timeout));
        assert_eq!(
            (engine.ping_interval, engine.ping_timeout),
            (default.ping_interval, default.ping_timeout)
        );
        assert_eq!(engine.recovery.unwrap().window, socketio::RecoveryConfig::default().window);
        assert_eq!(
            (listener.idle_timeout, listener.write_timeout),
            (known.idle_timeout, known.write_timeout)
        );
        assert_eq!((&*engine.session_prefix, listener.max_connections), ("", known.max_connections));
    }

    #[test]
    fn bad_values_are_named() {
        for (flags, message) in [
            (&["--port", "abc"][..], "PORT: \"abc\" is not a port (0 to 65535)"),
            (&["--port", "65536"], "PORT: \"65536\" is not a port (0 to 65535)"),
            (&["--host", ""], "HOST: \"\" is not an address"),
            (
                &["--jwt-expires-in", "soon"],
                "JWT_EXPIRES_IN: \"soon\" is not a time like 30s, 15m, 12h or 7d",
            ),
            (
                &["--cors-origins", "example.com"],
                "CORS_ORIGINS: \"example.com\" is not an origin like https://example.com",
            ),
            (
                &["--database-url", "mysql://a:b@c/d"],
                "DATABASE_URL: \"mysql://…@c/d\" is not a URL like sqlite://data/horse-trust.db or postgres://user@host/database",
            ),
            (&["--database-url", "sqlite://"], "DATABASE_URL: \"sqlite://\" names no file"),
            (&["--message-rate=-1"], "MESSAGE_RATE: \"-1\" is not a whole number from 0"),
            (&["--log-format", "xml"], "LOG_FORMAT: \"xml\" is neither pretty nor json"),
            (&["--log", "a=b=c"], "LOG: \"a=b=c\" is not a tracing filter"),
            (
                &["--trusted-proxies", "10.0.0.1, x"],
                "TRUSTED_PROXIES: \"x\" is neither an address nor a network",
            ),
            (&["--api-keys", "hush"], "API_KEYS: key 1 has fewer than 32 characters"),
            (
                &["--api-keys", "0123456789abcdef0123456789abcdef, 0123456789\u{e9}bcdef0123456789abcdef"],
                "API_KEYS: key 2 has a character that is not visible ASCII",
            ),
            (&["--max-payload", "10"], "MAX_PAYLOAD: \"10\" is not a number of bytes from 1024"),
            (&["--worker-threads", "0"], "WORKER_THREADS: \"0\" is not a whole number from 1 to 1024"),
            (&["--redis-url", "http://a:secret@b"], "REDIS_URL: it is not a URL like redis://127.0.0.1:6379"),
            (
                &["--redis-url", "redis://a:1,redis://b:2"],
                "REDIS_URL: it names several servers: only a cluster has those, with REDIS_CLUSTER=true",
            ),
            (
                &["--redis-url", "redis://a:1"],
                "REDIS_URL: needs a DATABASE_URL like postgres://…: a SQLite file is for one node, which needs no Redis",
            ),
            (
                &["--redis-cluster", "true"],
                "REDIS_CLUSTER: needs a REDIS_URL that names one of its nodes, or some",
            ),
        ] {
            assert_eq!(config(flags).unwrap_err(), message);
        }
        assert!(config(&["--no-such-flag"]).unwrap_err().contains("--no-such-flag"));
    }

    #[test]
    fn good_values_are_taken() {
        let config = config(&[
            "--cors-origins=https://a.example, http://localhost:5173",
            "--database-url=sqlite:///var/lib/x.db",
            "--message-rate= 0 ",
            "--jwt-expires-in=90m",
            "--trusted-proxies=10.0.0.0/8, ::1",
            "--log=info,socketio=debug",
            "--node=a",
        ])
        .unwrap();
        assert_eq!(config.database(), Database::Sqlite("/var/lib/x.db".into()));
        assert_eq!(config.message_rate, None);
        assert_eq!(config.jwt_expires_in, Duration::from_mins(90));
        assert_eq!(config.listener().trusted_proxies.len(), 2);
        assert_eq!(&*config.engine().session_prefix, "a-");
        let CorsOrigins::Listed(origins) = config.cors_origins else { panic!("not any origin") };
        assert!(origins.contains("https://a.example") && origins.contains("http://localhost:5173"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let keys = "hush-hush-hush-hush-hush-hush-hush";
        let config = config(&["--jwt-secret", "hush", "--api-keys", keys]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }
}
