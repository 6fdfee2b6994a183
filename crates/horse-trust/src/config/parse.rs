//! The values of settings, out of their texts. An error says what is wrong, not which setting it is.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::{Database, LogFormat, Secret};

pub(super) fn parse_host(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(format!("{text:?} is not an address"));
    }
    Ok(text.to_owned())
}

pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("{text:?} is not a port (0 to 65535)"))
}

/// So many a second; 0 is no limit.
pub(super) fn parse_rate(text: &str) -> Result<Option<NonZeroU32>, String> {
    text.parse().map(NonZeroU32::new).map_err(|_| format!("{text:?} is not a whole number from 0"))
}

pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    let filter = text.parse::<tracing_subscriber::EnvFilter>();
    filter.map(|_| text.to_owned()).map_err(|_| format!("{text:?} is not a tracing filter"))
}

pub(super) fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither pretty nor json")),
    }
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
pub(super) fn parse_drain(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { parse_duration(text) }
}

/// The prefix of a node's session ids: its name, and what parts it from the rest.
pub(super) fn parse_node(text: &str) -> Result<Box<str>, String> {
    let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match text {
        "" => Ok("".into()),
        _ if is_name && text.len() <= 16 => Ok(format!("{text}-").into()),
        _ => Err(format!("{text:?} is not a name of at most 16 characters from a to z and 0 to 9")),
    }
}

pub(super) fn parse_metrics_token(text: &str) -> Result<Option<Secret>, String> {
    match text.len() {
        0 => Ok(None),
        16.. => Ok(Some(Secret::new(text.to_owned()))),
        _ => Err("at least 16 characters; make one with: openssl rand -hex 32".to_owned()),
    }
}

pub(super) fn parse_bytes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|bytes| *bytes >= 1024)
        .ok_or_else(|| format!("{text:?} is not a number of bytes from 1024"))
}

pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| format!("{text:?} is not a whole number from 1"))
}

pub(super) fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse().ok().filter(|count: &NonZeroUsize| count.get() <= 1024);
    count.ok_or_else(|| format!("{text:?} is not a whole number from 1 to 1024"))
}

pub(super) fn parse_networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<std::net::IpAddr>().map(IpNet::from))
                .map(canonical_network)
                .map_err(|_| format!("{part:?} is neither an address nor a network"))
        })
        .collect()
}

/// A network of addresses that only map IPv4 addresses is one of those: peers' addresses are compared so.
fn canonical_network(network: IpNet) -> IpNet {
    let length = network.prefix_len();
    match network {
        IpNet::V6(v6) if length >= 96 => v6
            .addr()
            .to_ipv4_mapped()
            .and_then(|address| Ipv4Net::new(address, length - 96).ok())
            .map_or(network, IpNet::V4),
        _ => network,
    }
}

pub(super) fn parse_database_url(text: &str) -> Result<Database, String> {
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

/// Its text is not shown in the error: it may hold a password.
pub(super) fn parse_redis_url(text: &str, is_cluster: bool) -> Result<Option<Secret>, String> {
    let is_url = |url: &str| url.starts_with("redis://") || url.starts_with("rediss://");
    match text {
        "" => Ok(None),
        _ if is_cluster && text.split(',').all(|url| is_url(url.trim())) => {
            Ok(Some(Secret::new(text.to_owned())))
        }
        _ if !is_cluster && (text.contains(",redis://") || text.contains(",rediss://")) => {
            Err("it names several servers: only a cluster has those, with REDIS_CLUSTER=true".to_owned())
        }
        _ if is_url(text) && !is_cluster => Ok(Some(Secret::new(text.to_owned()))),
        _ => Err("it is not a URL like redis://127.0.0.1:6379".to_owned()),
    }
}

/// A URL without what may be a password.
pub(super) fn redact(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => format!("{}…{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}
