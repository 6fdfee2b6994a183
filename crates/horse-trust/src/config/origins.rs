//! The origins that browsers may call from, compared as browsers write them (HTML, "serialization of an origin"):
//! host in lower case and punycode, no default port, nothing behind.

use std::str::FromStr;

use url::Host;

use super::parse::redact;

/// The origins that browsers may call from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Any, without credentials.
    Any,
    /// These alone, with credentials.
    Listed(OriginList),
}

/// Origins, and domains all of whose subdomains are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginList {
    exact: Vec<String>,
    subdomains: Vec<Subdomains>,
}

/// What origins of the subdomains of a domain begin and end with: `https://` and `.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subdomains {
    start: String,
    end: String,
}

/// Schemes whose pages have no origin of their own, or that no page has.
const WITHOUT_ORIGIN: [&str; 9] =
    ["about", "blob", "data", "file", "filesystem", "ftp", "javascript", "ws", "wss"];

impl OriginList {
    /// Whether a request's `Origin` is one of these.
    pub fn contains(&self, origin: &str) -> bool {
        // Browsers write lower case; whatever else sends the header may not.
        let lowered =
            origin.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| origin.to_ascii_lowercase());
        let origin = lowered.as_deref().unwrap_or(origin);
        self.exact.iter().any(|exact| exact == origin)
            || self.subdomains.iter().any(|subdomains| subdomains.contains(origin))
    }
}

impl Subdomains {
    fn contains(&self, origin: &str) -> bool {
        let labels = origin.strip_prefix(&*self.start).and_then(|rest| rest.strip_suffix(&*self.end));
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        labels.is_some_and(|labels| labels.split('.').all(is_label))
    }
}

impl FromStr for CorsOrigins {
    type Err = String;

    /// Comma-separated origins, or `*` alone. What can never match is an error.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let mut list = OriginList::default();
        for origin in text.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            list.add(origin).map_err(|problem| format!("{:?} {problem}", redact(origin)))?;
        }
        Ok(Self::Listed(list))
    }
}

impl OriginList {
    fn add(&mut self, text: &str) -> Result<(), &'static str> {
        const NO_ORIGIN: &str = "is not an origin like https://example.com";
        match text {
            "*" => return Err("stands for any origin, so it has to stand alone"),
            "null" => return Err("is the origin of every sandboxed frame, so it can't be told whose it is"),
            _ => {}
        }
        let (scheme, rest) = text.split_once("://").ok_or(NO_ORIGIN)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme || rest.contains(|character: char| character.is_whitespace() || character.is_control())
        {
            return Err(NO_ORIGIN);
        }
        let scheme = scheme.to_ascii_lowercase();
        if WITHOUT_ORIGIN.contains(&&*scheme) {
            return Err(
                "has a scheme that no page's origin has: browsers name the page, as https://example.com",
            );
        }
        let (authority, behind) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
        if !matches!(behind, "" | "/") {
            return Err("has a path, a query or a fragment, which no origin has");
        }
        if authority.contains('@') {
            return Err("has a user name, which no origin has");
        }
        let (host, port) = split_port(authority).ok_or(NO_ORIGIN)?;
        let port = port.filter(|port| default_port(&scheme) != Some(*port));
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let domain = host.strip_prefix("*.");
        let host = canonical_host(&scheme, domain.unwrap_or(host)).ok_or(NO_ORIGIN)?;
        match domain {
            None => self.exact.push(format!("{scheme}://{host}{port}")),
            Some(_) if matches!(host, Host::Domain(_)) => {
                self.subdomains
                    .push(Subdomains { start: format!("{scheme}://"), end: format!(".{host}{port}") });
            }
            Some(_) => return Err("is an address, which has no subdomains"),
        }
        Ok(())
    }
}

/// The host, and the port if one is given; `None` if that is none.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end_of_host = authority.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match authority[end_of_host..].find(':') {
        Some(colon) => (&authority[..end_of_host + colon], &authority[end_of_host + colon + 1..]),
        None => (authority, ""),
    };
    match port {
        "" => Some((host, None)),
        // A sign is none of a port, though `parse` takes it.
        _ if port.bytes().all(|byte| byte.is_ascii_digit()) => Some((host, Some(port.parse().ok()?))),
        _ => None,
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// The host as browsers write it. Of a scheme that an application made its own, they know no more than the text.
fn canonical_host(scheme: &str, host: &str) -> Option<Host> {
    if host.contains('*') {
        return None;
    }
    if matches!(scheme, "http" | "https") {
        return Host::parse(host).ok();
    }
    let is_plain =
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    is_plain.then(|| Host::Domain(host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(text: &str) -> OriginList {
        match text.parse::<CorsOrigins>() {
            Ok(CorsOrigins::Listed(list)) => list,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn origins_match_as_browsers_write_them() {
        for (setting, origin) in [
            ("https://App.Example.com", "https://app.example.com"),
            ("https://b.example:443", "https://b.example"),
            ("HTTP://b.example:80", "http://b.example"),
            ("https://b.example:0443/", "https://b.example"),
            ("https://b.example:8443", "https://b.example:8443"),
            ("http://b.example:443", "http://b.example:443"),
            ("https://b.example:", "https://b.example"),
            ("https://Pferdebörse.example", "https://xn--pferdebrse-kcb.example"),
            ("http://127.1:5173", "http://127.0.0.1:5173"),
            ("http://[0:0::1]:5173", "http://[::1]:5173"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("Ionic://LocalHost", "ionic://localhost"),
            ("tauri://localhost", "tauri://localhost"),
            ("app://-", "app://-"),
            (
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
                "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            ),
            (
                "moz-extension://0f1b6a9e-8c5a-4d0e-9d0a-0c4f6c0a2b11",
                "moz-extension://0f1b6a9e-8c5a-4d0e-9d0a-0c4f6c0a2b11",
            ),
            ("https://a.example, https://b.example ,", "https://b.example"),
            ("https://b.example", "HTTPS://B.example"),
        ] {
            assert!(list(setting).contains(origin), "{setting} {origin}");
        }
        for (setting, origin) in [
            ("https://b.example", "http://b.example"),
            ("https://b.example", "https://b.example:8443"),
            ("https://b.example", "https://a.b.example"),
            ("https://b.example", "https://b.example.evil.example"),
            ("https://b.example", "null"),
            ("", "https://b.example"),
        ] {
            assert!(!list(setting).contains(origin), "{setting} {origin}");
        }
    }

    #[test]
    fn a_star_stands_for_one_label_or_more_never_for_none() {
        let subdomains = list("https://*.Example.com:443, http://*.bücher.example:8080, exp://*.app");
        for origin in [
            "https://a.example.com",
            "https://a.b-c.example.com",
            "http://x.xn--bcher-kva.example:8080",
            "exp://x.app",
        ] {
            assert!(subdomains.contains(origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "https://.example.com",
            "https://a..example.com",
            "https://badexample.com",
            "https://a.example.com:8443",
            "https://a.example.com.evil.example",
            "https://evil.example/.example.com",
            "https://evil.example?.example.com",
            "https://evil.example:1.example.com",
            "https://user@.example.com",
            "http://a.example.com",
            "http://x.xn--bcher-kva.example",
        ] {
            assert!(!subdomains.contains(origin), "{origin}");
        }
    }

    #[test]
    fn what_can_never_match_is_refused_by_name() {
        for (setting, problem) in [
            ("example.com", "\"example.com\" is not an origin like https://example.com"),
            ("https://a.example/chat", "\"https://a.example/chat\" has a path"),
            ("https://a.example//", "\"https://a.example//\" has a path"),
            ("https://a.example?x=1", "\"https://a.example?x=1\" has a path, a query"),
            ("https://a.example#x", "\"https://a.example#x\" has a path"),
            ("https:\\\\a.example", "\"https:\\\\\\\\a.example\" is not an origin"),
            ("https://user:hush@a.example", "\"https://…@a.example\" has a user name"),
            ("https://a.example https://b.example", "is not an origin"),
            ("https://", "is not an origin"),
            ("https:///a.example", "has a path"),
            ("://a.example", "is not an origin"),
            ("1x://a.example", "is not an origin"),
            ("https://a.example:x", "is not an origin"),
            ("https://a.example:+443", "is not an origin"),
            ("https://a.example:65536", "is not an origin"),
            ("https://[::1", "is not an origin"),
            ("https://a b.example", "is not an origin"),
            ("https://a.example\u{7}", "is not an origin"),
            ("https://xn--a", "is not an origin"),
            ("https://300.1.1.1", "is not an origin"),
            ("null", "is the origin of every sandboxed frame"),
            ("file://", "has a scheme that no page's origin has"),
            ("wss://a.example", "has a scheme that no page's origin has"),
            ("capacitor://", "is not an origin"),
            ("*, https://a.example", "\"*\" stands for any origin, so it has to stand alone"),
            ("https://a.example,*", "has to stand alone"),
            ("https://*", "is not an origin"),
            ("https://*.", "is not an origin"),
            ("https://app-*.example.com", "is not an origin"),
            ("https://*.*.example.com", "is not an origin"),
            ("https://*.127.0.0.1", "is an address, which has no subdomains"),
            ("*.example.com", "is not an origin"),
            ("*://a.example", "is not an origin"),
        ] {
            let message = setting.parse::<CorsOrigins>().unwrap_err();
            assert!(message.contains(problem), "{setting}: {message}");
            assert!(!message.contains("hush") && !message.contains('\n'), "{message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_set_is_what_a_browser_writes(
            scheme in "[hH][tT][tT][pP][sS]?",
            host in "[a-zA-Z0-9äÖß]([a-zA-Z0-9.äÖß-]{0,20})|[0-9.]{1,15}|\\[[0-9a-fA-F:]{2,20}\\]",
            port in prop::option::of(prop_oneof![Just(80), Just(443), any::<u16>()]),
        ) {
            let text = format!("{scheme}://{host}{}", port.map_or_else(String::new, |port| format!(":{port}")));
            // The library that follows the browsers' standard is the oracle.
            let written = url::Url::parse(&text).ok().map(|url| url.origin().ascii_serialization());
            match (text.parse::<CorsOrigins>(), written) {
                (Ok(CorsOrigins::Listed(found)), Some(written)) => {
                    prop_assert_eq!(&found.exact, &vec![written.clone()]);
                    prop_assert!(found.contains(&written));
                    prop_assert_eq!(list(&written), found);
                }
                (found, written) => prop_assert!(found.is_err() && written.is_none(), "{:?} {:?}", found, written),
            }
        }

        #[test]
        fn subdomains_are_of_their_domain_alone(labels in "[a-z0-9.-]{0,12}", domain in "[a-z]{1,8}\\.example") {
            let found = list(&format!("https://*.{domain}"));
            let are_labels = labels.split('.').all(|label| !label.is_empty());
            prop_assert_eq!(found.contains(&format!("https://{labels}.{domain}")), are_labels);
            let joined = labels.strip_suffix('.').is_some_and(|labels| labels.split('.').all(|label| !label.is_empty()));
            prop_assert_eq!(found.contains(&format!("https://{labels}{domain}")), joined);
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC{0,40}", origin in "\\PC{0,40}") {
            if let Ok(CorsOrigins::Listed(found)) = text.parse::<CorsOrigins>() {
                let _ = found.contains(&origin);
            }
        }
    }
}
