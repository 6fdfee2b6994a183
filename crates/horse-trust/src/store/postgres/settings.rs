//! What a URL says, and the limits that every connection has.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::OpenError;
use super::tls::TlsOptions;

/// How long connecting may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take, as this side counts; somewhat longer than the server gives each statement, so that
/// its own message is what is seen.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a read waits for its turn.
pub(super) const TURN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long [`Store::ping`](crate::store::Store::ping) may take.
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// Given to the server for each connection. A transaction whose node fell silent must not hold up the others: the times
/// are those after which the server gives up an idle transaction, a peer that answers no probe, and one that
/// acknowledges no data (milliseconds); what they do not see, [`super::silence`] does. The statements are all short, so
/// that compiling them would cost more than it saves.
const LIMITS: &str = "-c statement_timeout=4s -c idle_in_transaction_session_timeout=2s -c tcp_keepalives_idle=2 \
    -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=4000 -c jit=off";
/// The writer's statements look up single rows; a plan that was made while the tables were small must not read
/// them whole when they have grown. Planning anew each time would cost more than a message does.
const LOOK_UPS: &str = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off \
    -c plan_cache_mode=force_generic_plan";
/// What is read after the lock of all writes was taken has to be from after it, whatever is set for the database.
const ISOLATION: &str = "-c default_transaction_isolation=read\\ committed";
/// A migration takes as long as it takes.
const MIGRATION: &str = "-c jit=off";
/// An import, too; it looks up each record, in tables that were empty when it began.
const IMPORT: &str = "-c jit=off -c enable_seqscan=off";

/// Where the database is and how it is spoken to.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
    /// Host, port, database and the mode of TLS, if the URL names it, for messages; never the password.
    pub(super) name: Arc<str>,
}

impl Settings {
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let invalid = |reason: &str| OpenError::Url(reason.to_owned());
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(invalid("it does not begin with postgres:// or postgresql://"));
        }
        let (url, tls_options) = TlsOptions::take(url).map_err(|reason| invalid(&reason))?;
        let (ssl_mode, tls) = tls_options.connector().map_err(|reason| invalid(&reason))?;
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            // The cause names an option or a byte, never a value.
            invalid(&std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        let hosts: Vec<_> = config.get_hosts().iter().map(host_name).collect();
        if hosts.is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid("it names no host"));
        }
        if hosts.is_empty() {
            // A certificate is for a name, or for an address.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        if hosts.iter().any(|host| host.contains('@')) {
            return Err(invalid("an @ in the user or the password is written %40"));
        }
        // What is not over a network is not encrypted, as with libpq.
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if is_local { SslMode::Disable } else { ssl_mode });
        if config.get_application_name().is_none() {
            config.application_name("horse-trust");
        }
        config.connect_timeout(CONNECT_TIMEOUT);
        config.tcp_user_timeout(Duration::from_secs(10));
        config.keepalives(true);
        config.keepalives_idle(Duration::from_secs(15));
        config.keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
        let mut name = name(&config, &hosts);
        if let Some(mode) = &tls_options.mode {
            name = format!("{name}, sslmode={mode}");
        }
        Ok(Self { config, tls, name: name.into() })
    }

    /// For the connections that read, and for single writes.
    pub(super) fn for_pool(&self) -> Self {
        self.with_options(LIMITS)
    }

    pub(super) fn for_writer(&self) -> Self {
        self.with_options(&format!("{LIMITS} {LOOK_UPS}"))
    }

    pub(super) fn for_migration(&self) -> Self {
        self.with_options(MIGRATION)
    }

    pub(super) fn for_import(&self) -> Self {
        self.with_options(IMPORT)
    }

    /// With these before the URL's own `options`, which win.
    fn with_options(&self, options: &str) -> Self {
        let mut settings = self.clone();
        let own = self.config.get_options().unwrap_or_default();
        settings.config.options(format!("{options} {ISOLATION} {own}").trim_end());
        settings
    }
}

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

fn name(config: &Config, hosts: &[String]) -> String {
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let hosts = if hosts.is_empty() { addresses.collect() } else { hosts.to_vec() };
    let ports = config.get_ports();
    let places: Vec<_> = (0..)
        .zip(hosts)
        .map(|(index, host)| {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            format!("{host}:{port}")
        })
        .collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    format!("PostgreSQL database {database} at {}", places.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_place_without_the_password() {
        let settings = Settings::parse("postgres://ann:s3cret@db.example:5433/chat").unwrap();
        assert_eq!(&*settings.name, "PostgreSQL database chat at db.example:5433");
        let several = Settings::parse("postgresql://ann:s3cret@one,two/chat").unwrap();
        assert_eq!(&*several.name, "PostgreSQL database chat at one:5432,two:5432");
    }

    #[test]
    fn says_what_is_wrong_with_a_url() {
        for (url, expected) in [
            ("mysql://ann:s3cret@host/chat", "begin with postgres://"),
            ("postgres:///chat", "no host"),
            ("postgres://ann:s3@cret@host/chat", "%40"),
            ("postgres://ann:s3cret@host:port/chat", "`port`"),
            ("postgres://ann:s3cret@host/chat?sslmode=maybe", "sslmode=maybe"),
            ("postgres://ann:s3cret@host/chat?sslmode=verify-ca", "needs sslrootcert=FILE"),
            ("postgres://ann:s3cret@host/chat?sslrootcert=a.pem", "sslmode=prefer checks no certificate"),
            (
                "postgres://ann:s3cret@host/chat?sslmode=require&sslrootcert=no%20file",
                "sslrootcert=no file: ",
            ),
            (
                "postgres://ann:s3cret@host/chat?sslrootcert=Cargo.toml&sslmode=verify-full",
                "sslrootcert=Cargo.toml: no certificate in it",
            ),
            ("postgres://ann:s3cret@host/chat?colour=red", "`colour`"),
        ] {
            let Err(error) = Settings::parse(url) else { panic!("{url} was taken") };
            let text = error.to_string();
            assert!(text.contains(expected) && !text.contains("s3") && !text.contains("cret"), "{text}");
        }
    }

    #[test]
    fn tls_is_as_the_url_says() {
        for (url, expected, name) in [
            ("postgres://ann@host/chat", SslMode::Prefer, ""),
            ("postgres://ann@host/chat?sslmode=disable", SslMode::Disable, ", sslmode=disable"),
            (
                "postgres://a?sslmode=disable@host/chat?connect_timeout=1&sslmode=require",
                SslMode::Require,
                ", sslmode=require",
            ),
            (
                "postgres:///chat?user=ann&hostaddr=127.0.0.1&sslmode=require",
                SslMode::Require,
                ", sslmode=require",
            ),
            (
                "postgres://ann@%2Frun%2Fpostgresql/chat?sslmode=require",
                SslMode::Disable,
                ", sslmode=require",
            ),
        ] {
            let settings = Settings::parse(url).unwrap();
            assert_eq!(settings.config.get_ssl_mode(), expected, "{url}");
            assert!(settings.name.ends_with(&format!(":5432{name}")), "{}", settings.name);
        }
    }

    #[test]
    fn the_urls_own_options_come_last() {
        let settings = Settings::parse("postgres://ann@host/chat?options=-c%20search_path%3Dchat").unwrap();
        let options = settings.for_pool().config.get_options().unwrap().to_owned();
        assert!(options.ends_with("-c search_path=chat") && options.starts_with(LIMITS), "{options}");
    }
}
