//! Each setting, once: its name, its default, its parser, and what it means. `--help` and `docs/configuration.md` are made
//! from this.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use super::base_path::{BasePath, parse_base_path};
use super::error::ConfigError;
use super::origins::CorsOrigins;
use super::parse::{
    parse_api_keys, parse_bool, parse_bytes, parse_claim, parse_count, parse_database_url, parse_drain,
    parse_duration, parse_filter, parse_host, parse_log_format, parse_metrics_token, parse_networks,
    parse_node, parse_path, parse_port, parse_rate, parse_redis_url, parse_secret, parse_switch,
    parse_system_name, parse_text, parse_threads,
};
use super::secret_files::SecretFiles;
use super::values::{Database, KeySetting, LogFormat, Perhaps, Secret, all_cores_but_one};
use super::webhooks::{WebhookUrl, parse_webhook_events, parse_webhook_secrets, parse_webhook_urls};
use crate::store::EventKinds;

/// As [`Perhaps`], for a flag that may be given several times.
type Networks = Vec<IpNet>;
/// As [`Networks`].
type Secrets = Vec<Secret>;
/// As [`Networks`].
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
    /// Path below which everything is, the page and `socket.io/` too: `/chat`
    #[arg(long, env, hide_env = true, value_name = "PATH", default_value = "/", value_parser = parse_base_path)]
    pub base_path: BasePath,
    /// Secret that tokens are signed with; `openssl rand -hex 32` makes one. `serve` needs it unless there is a `JWT_PUBLIC_KEY_FILE` [default: required]
    #[arg(long, env, hide_env = true, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = parse_secret)]
    pub jwt_secret: Perhaps<Secret>,
    /// How long tokens that are issued here are valid
    #[arg(long, env, hide_env = true, value_name = "TIME", default_value = "7d", value_parser = parse_duration)]
    pub jwt_expires_in: Duration,
    /// Claim of a token that holds the user's id, as text
    #[arg(long, env, hide_env = true, value_name = "CLAIM", default_value = "userId", value_parser = parse_claim)]
    pub jwt_user_claim: String,
    /// Claim of a token that holds the role: `admin`, or anything else for a seller
    #[arg(long, env, hide_env = true, value_name = "CLAIM", default_value = "role", value_parser = parse_claim)]
    pub jwt_role_claim: String,
    /// File with the public key of the platform that signs tokens, in PEM, in place of `JWT_SECRET`: an RSA key of 2048 to
    /// 4096 bits (RS256), one of the curve P-256 (ES256) or Ed25519 (`EdDSA`). Accounts are `off` then [default: none]
    #[arg(long, env, hide_env = true, value_name = "FILE", default_value = "", hide_default_value = true, value_parser = parse_path)]
    pub(super) jwt_public_key_file: Perhaps<PathBuf>,
    /// What `JWT_PUBLIC_KEY_FILE` holds.
    #[arg(skip)]
    pub(super) public_key: Option<String>,
    /// What `iss` of each token has to be; without it, that is not checked [default: none]
    #[arg(long, env, hide_env = true, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = parse_text)]
    pub jwt_issuer: Perhaps<String>,
    /// What `aud` of each token has to be, or to contain; without it, that is not checked [default: none]
    #[arg(long, env, hide_env = true, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = parse_text)]
    pub jwt_audience: Perhaps<String>,
    /// Whether people register and sign in here, with e-mail and password; `off` where a platform issues all tokens
    /// [default: `on`; `off` with `JWT_PUBLIC_KEY_FILE`]
    #[arg(long, env, hide_env = true, value_name = "SWITCH", default_value = "", hide_default_value = true, value_parser = parse_switch)]
    pub(super) accounts: Perhaps<bool>,
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
    #[command(flatten)]
    pub(super) secret_files: SecretFiles,
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
    /// What tokens are verified with, or an error that says how to make a secret.
    pub fn token_key(&self) -> Result<KeySetting<'_>, ConfigError> {
        if let (Some(path), Some(pem)) = (&self.jwt_public_key_file, &self.public_key) {
            return Ok(KeySetting::Public { path, pem });
        }
        let required = || ConfigError::new("JWT_SECRET", "required; make one with: openssl rand -hex 32");
        self.jwt_secret.as_ref().map(KeySetting::Secret).ok_or_else(required)
    }

    /// Whether people register and sign in here.
    pub fn has_accounts(&self) -> bool {
        self.accounts.unwrap_or(self.public_key.is_none())
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
