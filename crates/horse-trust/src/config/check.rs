//! How the settings go together.

use super::error::ConfigError;
use super::parse::{parse_api_keys, parse_database_url, parse_metrics_token, parse_redis_url, parse_secret};
use super::secret_files::{fill, read_file};
use super::settings::Config;
use super::values::Database;
use super::webhooks::parse_webhook_secrets;

impl Config {
    /// Reads the secrets that are in files, and checks the settings that depend on others.
    pub fn check(mut self) -> Result<Self, ConfigError> {
        self.read_secret_files()?;
        self.check_identity()?;
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
}

impl Config {
    /// Reads the public key, and checks what says who signs tokens.
    fn check_identity(&mut self) -> Result<(), ConfigError> {
        if self.jwt_user_claim == self.jwt_role_claim {
            return Err(ConfigError::new("JWT_ROLE_CLAIM", "the same claim as JWT_USER_CLAIM"));
        }
        let Some(path) = &self.jwt_public_key_file else { return Ok(()) };
        let error = |message| Err(ConfigError::new("JWT_PUBLIC_KEY_FILE", message));
        if self.jwt_secret.is_some() {
            return error("JWT_SECRET is set, too; set one of the two");
        }
        if self.accounts == Some(true) {
            return error("ACCOUNTS is on, which needs a JWT_SECRET that signs their tokens");
        }
        self.public_key = Some(read_file("JWT_PUBLIC_KEY_FILE", path)?);
        Ok(())
    }
}

impl Config {
    /// Takes the settings that are in files from there.
    fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        let files = self.secret_files.clone();
        let Self { jwt_secret, database_url, redis_url, metrics_token, api_keys, webhook_secret, .. } = self;
        let is_set = jwt_secret.is_some();
        fill("JWT_SECRET", jwt_secret, is_set, files.jwt_secret_file, parse_secret)?;
        let is_set = database_url.is_some();
        let parse_database = |text: &str| parse_database_url(text).map(Some);
        fill("DATABASE_URL", database_url, is_set, files.database_url_file, parse_database)?;
        let is_set = redis_url.is_some();
        fill("REDIS_URL", redis_url, is_set, files.redis_url_file, parse_redis_url)?;
        let is_set = metrics_token.is_some();
        fill("METRICS_TOKEN", metrics_token, is_set, files.metrics_token_file, parse_metrics_token)?;
        let is_set = !api_keys.is_empty();
        fill("API_KEYS", api_keys, is_set, files.api_keys_file, parse_api_keys)?;
        let is_set = !webhook_secret.is_empty();
        fill("WEBHOOK_SECRET", webhook_secret, is_set, files.webhook_secret_file, parse_webhook_secrets)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use clap::builder::Resettable;
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;
    use crate::config::{CorsOrigins, explain};

    /// What these flags say, whatever the environment of the tests.
    pub(in crate::config) fn config(flags: &[&str]) -> Result<Config, String> {
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
        assert!(config.token_key().unwrap_err().to_string().contains("openssl rand"));
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
                &["--base-path", "chat"],
                "BASE_PATH: \"chat\" is not a path like /chat (letters, digits, -, ., _ and ~ between slashes)",
            ),
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
            (&["--accounts", "no"], "ACCOUNTS: \"no\" is neither on nor off"),
            (&["--jwt-user-claim", ""], "JWT_USER_CLAIM: the name of a claim is needed"),
            (&["--jwt-role-claim", "exp"], "JWT_ROLE_CLAIM: \"exp\" has a meaning of its own"),
            (&["--jwt-user-claim", "role"], "JWT_ROLE_CLAIM: the same claim as JWT_USER_CLAIM"),
            (
                &["--jwt-public-key-file", "x", "--jwt-secret", "y"],
                "JWT_PUBLIC_KEY_FILE: JWT_SECRET is set, too; set one of the two",
            ),
            (
                &["--jwt-public-key-file", "x", "--accounts", "on"],
                "JWT_PUBLIC_KEY_FILE: ACCOUNTS is on, which needs a JWT_SECRET that signs their tokens",
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
