//! The settings as they are given: texts, on the command line or in the environment.

use clap::Args;

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
    /// Whether that is a Redis Cluster of version 7 or later, or one of Valkey [default: false]
    #[arg(long, env = "REDIS_CLUSTER", hide_env = true)]
    pub redis_cluster: Option<String>,
    /// Lets several nodes share a PostgreSQL without Redis: people on different nodes do not hear each other live
    /// [default: false]
    #[arg(long, env = "ALLOW_NODES_WITHOUT_REDIS", hide_env = true)]
    pub allow_nodes_without_redis: Option<String>,
    /// Threads that serve [default: one fewer than there are cores]
    #[arg(long, env = "WORKER_THREADS", hide_env = true)]
    pub worker_threads: Option<String>,
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
    /// Proxies whose X-Forwarded-For or Forwarded is believed: addresses or networks, comma-separated [default: none]
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
    /// How long a connection may idle between HTTP requests; longer than a balancer keeps its own [default: 75s]
    #[arg(long, env = "IDLE_TIMEOUT", hide_env = true)]
    pub idle_timeout: Option<String>,
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
const CORS_ORIGINS_HELP: &str = "Origins that browsers may call from, comma-separated: https://example.com, \
                                 https://*.example.com, capacitor://localhost; * alone is any, without credentials \
                                 [default: http://localhost:5173]";
const DATABASE_URL_HELP: &str = "Where data is kept: sqlite://path, or postgres://user:password@host/database \
                                 [default: sqlite://data/horse-trust.db]";

const REDIS_URL_HELP: &str = "Redis or Valkey, if several nodes share one PostgreSQL: redis://host:6379; \
                              of a cluster one or more, comma-separated [default: none]";
