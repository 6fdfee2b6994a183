//! The values of the webhooks' settings.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::values::Secret;
use crate::store::{EventKind, EventKinds};

/// How many URLs there are at most: each has a task and rows of its own.
const MAX_URLS: usize = 8;
/// How many secrets: one, and another while it is changed.
const MAX_SECRETS: usize = 2;
/// How many bytes a secret has, by the Standard Webhooks specification.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const PREFIX: &str = "whsec_";

/// Where events are sent to. It may hold a password or a token, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// The URL itself.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// What may be shown of it: scheme, host and port.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.origin())
    }
}

/// URLs, comma-separated; none if the text is empty.
pub(super) fn parse_webhook_urls(text: &str) -> Result<Vec<WebhookUrl>, String> {
    let mut urls: Vec<WebhookUrl> = Vec::new();
    for (number, part) in (1..).zip(text.split(',').map(str::trim).filter(|part| !part.is_empty())) {
        // The text is not shown: it may hold a secret.
        let url = Url::parse(part)
            .ok()
            .filter(|url| {
                matches!(url.scheme(), "http" | "https") && url.has_host() && url.fragment().is_none()
            })
            .map(WebhookUrl)
            .ok_or_else(|| format!("URL {number} is not a URL like https://example.com/webhooks"))?;
        if urls.contains(&url) {
            return Err(format!("URL {number} is there twice"));
        }
        urls.push(url);
    }
    if urls.len() > MAX_URLS {
        return Err(format!("it names {} URLs; {MAX_URLS} are the limit", urls.len()));
    }
    Ok(urls)
}

/// Secrets, comma-separated; none if the text is empty.
pub(super) fn parse_webhook_secrets(text: &str) -> Result<Vec<Secret>, String> {
    let parts: Vec<_> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > MAX_SECRETS {
        return Err(format!("it has {} secrets; {MAX_SECRETS} are the limit", parts.len()));
    }
    let check = |(number, part): (usize, &str)| {
        let bytes = part.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
        match bytes {
            Some(bytes) if SECRET_BYTES.contains(&bytes.len()) => Ok(Secret::new(part.to_owned())),
            _ => Err(format!(
                "secret {number} is not whsec_ and 24 to 64 bytes as base64; make one with: horse-trust webhooks secret"
            )),
        }
    };
    (1..).zip(parts).map(check).collect()
}

/// Names of events, comma-separated; all if the text is empty or `all`.
pub(super) fn parse_webhook_events(text: &str) -> Result<EventKinds, String> {
    let text = text.trim();
    if text.is_empty() || text == "all" {
        return Ok(EventKind::ALL.into_iter().collect());
    }
    let names = || EventKind::ALL.map(EventKind::name).join(", ");
    text.split(',')
        .map(str::trim)
        .map(|name| {
            let kind = EventKind::ALL.into_iter().find(|kind| kind.name() == name);
            kind.ok_or_else(|| format!("{name:?} is neither all nor one of {}", names()))
        })
        .collect()
}

/// A new secret.
pub fn new_webhook_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_never_shown() {
        let urls = parse_webhook_urls(" https://u:p@a.example/x?token=hush, http://127.0.0.1:9/ ").unwrap();
        assert_eq!(format!("{urls:?}"), "[https://a.example, http://127.0.0.1:9]");
        assert_eq!(parse_webhook_urls(" ").unwrap(), []);
        for bad in ["ftp://a.example", "a.example/x", "https://", "http://a/#f", "http://a/,http://a/"] {
            let error = parse_webhook_urls(bad).unwrap_err();
            assert!(error.starts_with("URL ") && !error.contains("a.example/x"), "{error}");
        }
        let many = (0..9).map(|number| format!("http://a/{number}")).collect::<Vec<_>>().join(",");
        assert!(parse_webhook_urls(&many).is_err());
    }

    #[test]
    fn secrets_are_those_of_the_specification() {
        let made = new_webhook_secret().unwrap();
        assert_eq!(parse_webhook_secrets(&format!("{made}, {made}")).unwrap().len(), 2);
        assert!(parse_webhook_secrets("").unwrap().is_empty());
        let short = format!("whsec_{}", STANDARD.encode([0; 23]));
        let three = [&*made, &made, &made].join(",");
        for bad in ["hush", "whsec_", "whsec_!!!", &made[6..], &short, &three] {
            let error = parse_webhook_secrets(bad).unwrap_err();
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn events_are_named() {
        let some = parse_webhook_events("message.created, user.blocked").unwrap();
        assert!(some.contains(EventKind::MessageCreated) && !some.contains(EventKind::MessageUnseen));
        assert_eq!(parse_webhook_events("all"), parse_webhook_events(""));
        assert!(parse_webhook_events("message.sent").unwrap_err().contains("message.created"));
    }
}
