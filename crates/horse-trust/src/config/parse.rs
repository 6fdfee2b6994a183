//! The values of settings, out of their texts, with or without spaces around. An error says what is wrong, not which
//! setting it is.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::values::{Database, LogFormat, Secret};

/// Claims of a token that are neither the user nor the role.
const RESERVED_CLAIMS: [&str; 8] = ["iss", "aud", "exp", "nbf", "iat", "jti", "iat_ms", "session_generation"];

/// A number of digits alone: `parse` takes a sign, too, which means nothing in a setting.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub(super) fn parse_host(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(format!("{text:?} is not an address"));
    }
    Ok(text.to_owned())
}

pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    whole(text).ok_or_else(|| format!("{text:?} is not a port (0 to 65535)"))
}

/// So many a second; 0 is no limit.
pub(super) fn parse_rate(text: &str) -> Result<Option<NonZeroU32>, String> {
    whole(text).map(NonZeroU32::new).ok_or_else(|| format!("{text:?} is not a whole number from 0"))
}

pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    let text = text.trim();
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    let text = text.trim();
    let filter = text.parse::<tracing_subscriber::EnvFilter>();
    filter.map(|_| text.to_owned()).map_err(|_| format!("{text:?} is not a tracing filter"))
}

pub(super) fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    let text = text.trim();
    match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither pretty nor json")),
    }
}

/// `90` (seconds), `90s`, `15m`, `12h`, `7d`, `2w`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
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
    let count: u64 = whole(digits.trim()).ok_or_else(error)?;
    let seconds = count.checked_mul(unit).filter(|seconds| (1..=100 * 366 * 24 * 60 * 60).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(error)
}

/// A time, which may be none.
pub(super) fn parse_drain(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { parse_duration(text) }
}

/// A node's name; empty if it has none.
pub(super) fn parse_node(text: &str) -> Result<Box<str>, String> {
    let text = text.trim();
    let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if is_name && text.len() <= 16 {
        return Ok(text.into());
    }
    Err(format!("{text:?} is not a name of at most 16 characters from a to z and 0 to 9"))
}

pub(super) fn parse_system_name(text: &str) -> Result<Box<str>, String> {
    let name = text.trim();
    let length = name.chars().count();
    if (1..=100).contains(&length) && !name.chars().any(char::is_control) {
        return Ok(name.into());
    }
    Err(format!("{text:?} is not a name of 1 to 100 characters"))
}

pub(super) fn parse_metrics_token(text: &str) -> Result<Option<Secret>, String> {
    let text = text.trim();
    match text.len() {
        0 => Ok(None),
        16.. => Ok(Some(Secret::new(text.to_owned()))),
        _ => Err("at least 16 characters; make one with: openssl rand -hex 32".to_owned()),
    }
}

pub(super) fn parse_bytes(text: &str) -> Result<usize, String> {
    whole(text)
        .filter(|bytes| *bytes >= 1024)
        .ok_or_else(|| format!("{text:?} is not a number of bytes from 1024"))
}

pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    whole(text).filter(|count| *count > 0).ok_or_else(|| format!("{text:?} is not a whole number from 1"))
}

pub(super) fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    let count = whole(text).filter(|count: &NonZeroUsize| count.get() <= 1024);
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
    let text = text.trim();
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

/// One URL or several. The text is not shown in the error: it may hold a password.
pub(super) fn parse_redis_url(text: &str) -> Result<Option<Secret>, String> {
    let text = text.trim();
    let is_url = |url: &str| url.trim().starts_with("redis://") || url.trim().starts_with("rediss://");
    match text {
        "" => Ok(None),
        _ if text.split(',').all(is_url) => Ok(Some(Secret::new(text.to_owned()))),
        _ => Err("it is not a URL like redis://127.0.0.1:6379".to_owned()),
    }
}

/// As it is: a space may belong to it.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
pub(super) fn parse_secret(text: &str) -> Result<Option<Secret>, String> {
    Ok((!text.is_empty()).then(|| Secret::new(text.to_owned())))
}

/// The fewest characters of a key of the admin API.
const MIN_API_KEY: usize = 32;

/// Keys of the admin API, comma-separated. An error names a key by its place alone.
pub(super) fn parse_api_keys(text: &str) -> Result<Vec<Secret>, String> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    let checked = (1..).zip(keys).map(|(number, key)| {
        if key.chars().count() < MIN_API_KEY {
            return Err(format!("key {number} has fewer than {MIN_API_KEY} characters"));
        }
        if key.starts_with("eyJ") && key.matches('.').count() == 2 {
            return Err(format!("key {number} has the form of a JWT"));
        }
        // What else there is can't be sent in a header.
        let is_sendable = key.bytes().all(|byte| byte.is_ascii_graphic());
        let key = is_sendable.then(|| Secret::new(key.to_owned()));
        key.ok_or_else(|| format!("key {number} has a character that is not visible ASCII"))
    });
    checked.collect()
}

/// The name of a claim.
pub(super) fn parse_claim(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the name of a claim is needed".to_owned());
    }
    if RESERVED_CLAIMS.contains(&text) {
        return Err(format!("{text:?} has a meaning of its own"));
    }
    Ok(text.to_owned())
}

/// A text; none if it is empty.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
pub(super) fn parse_text(text: &str) -> Result<Option<String>, String> {
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// `on` or `off`; none if the text is empty.
pub(super) fn parse_switch(text: &str) -> Result<Option<bool>, String> {
    match text.trim() {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        other => Err(format!("{other:?} is neither on nor off")),
    }
}

/// A path; none if the text is empty.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
pub(super) fn parse_path(text: &str) -> Result<Option<PathBuf>, String> {
    Ok((!text.is_empty()).then(|| text.into()))
}

/// A URL without what may be a password.
pub(super) fn redact(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => format!("{}…{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "+5", "-5", "5.0", "5e0", "0x5", "5 5", "5_0", "\u{0665}", "99999999999999999999999"]
        {
            assert!(parse_port(text).is_err() && parse_rate(text).is_err(), "{text:?}");
            assert!(parse_bytes(text).is_err() && parse_count(text).is_err(), "{text:?}");
            assert!(parse_threads(text).is_err(), "{text:?}");
        }
        for text in [
            "",
            "s",
            "+5s",
            "-5s",
            "1.5h",
            "1h30m",
            "5 s m",
            "0",
            "0s",
            "5y",
            "5\u{00b5}s",
            "18446744073709551615w",
            "36601d",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn networks_of_mapped_addresses_are_those_of_the_addresses() {
        let networks = |text: &str| {
            parse_networks(text)
                .map(|networks| networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(networks("10.0.0.5/8, ::1,").unwrap(), "10.0.0.5/8 ::1/128");
        assert_eq!(networks("::ffff:10.0.0.0/104").unwrap(), "10.0.0.0/8");
        assert_eq!(networks("::ffff:10.0.0.1").unwrap(), "10.0.0.1/32");
        assert_eq!(networks("::/0").unwrap(), "::/0");
        assert!(networks("10.0.0.0/33").is_err() && networks("10.0.0").is_err());
    }

    proptest! {
        #[test]
        fn durations_that_are_written_are_read(
            count in 1..40_000_u64, unit in prop::sample::select(vec![("", 1), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)]),
            is_upper in any::<bool>(), space in " {0,2}",
        ) {
            let (unit, seconds) = unit;
            let unit = if is_upper { unit.to_ascii_uppercase() } else { unit.to_owned() };
            let seconds = count * seconds;
            let is_within = seconds <= 100 * 366 * 86_400;
            prop_assert_eq!(parse_duration(&format!("{count}{space}{unit}")).ok(), is_within.then(|| Duration::from_secs(seconds)));
        }

        #[test]
        fn networks_that_are_written_are_read(address in any::<std::net::IpAddr>(), length in 0..=128_u8, spaces in " {0,2}") {
            let Ok(network) = IpNet::new(address, length.min(if address.is_ipv4() { 32 } else { 128 })) else { return Ok(()) };
            // Of mapped addresses wider networks have other addresses, too.
            prop_assume!(address == address.to_canonical() || length >= 96);
            let found = parse_networks(&format!("{spaces}{network}{spaces},{address}")).unwrap();
            prop_assert!(found.iter().all(|network| network.contains(&address.to_canonical())));
            prop_assert_eq!(found.len(), 2);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,30}") {
            let _ = (parse_port(&text), parse_rate(&text), parse_duration(&text), parse_drain(&text));
            let _ = (parse_bytes(&text), parse_count(&text), parse_threads(&text), parse_networks(&text));
            let _ = (parse_database_url(&text), parse_redis_url(&text));
            let _ = (parse_node(&text), parse_host(&text), parse_filter(&text), parse_metrics_token(&text));
            let _ = parse_api_keys(&text);
        }
    }
}
