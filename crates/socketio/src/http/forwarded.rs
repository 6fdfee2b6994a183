//! The client's address behind trusted proxies: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! Both headers grow at their right end: each proxy appends whom it was called by. So everything is read from the
//! right, and what stands left of the first address that is no trusted proxy is never looked at. A client chooses
//! that part, and could hide a proxy's own entry in it (with a quote that does not end, for example) from a parser
//! that begins at the left.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use http::HeaderMap;
use ipnet::IpNet;
use parking_lot::Mutex;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";
/// A proxy that writes what can't be read does so with each request: one line of the log in this time is enough.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// The client's address: the peer's, or where that is a trusted proxy, the nearest address that the proxies name and
/// that is none of them.
///
/// `X-Forwarded-For` counts if it names anything, else `Forwarded`: nearly every proxy keeps the former, and passes a
/// `Forwarded` of the client's own through.
///
/// A trusted proxy may name its client by something that is no address (`unknown`, `_hidden`, or what can't be
/// read). Its own address would put all its clients into one place, where one could use up what is allowed to all.
/// So such a client gets a stand-in: an address in `fc00::/8`, which RFC 4193 leaves undefined and no client has, made
/// of the proxy's address and the name without its port. Stand-ins differ in their first 64 bits, so they stay apart
/// where a /64 counts as one client.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    if !is_trusted(peer) {
        return peer;
    }
    let mut address = peer;
    let is_present = |header| {
        headers.get_all(header).iter().any(|value| elements(header, value.as_bytes()).next().is_some())
    };
    let header = if is_present(X_FORWARDED_FOR) { X_FORWARDED_FOR } else { FORWARDED };
    for value in headers.get_all(header).iter().rev() {
        for element in elements(header, value.as_bytes()) {
            let element = String::from_utf8_lossy(element);
            let node = if header == FORWARDED { for_of(&element) } else { Some(unquoted(&element)) };
            // An element without a readable `for` is named by nothing.
            let node = node.unwrap_or_default();
            match parse_node(&node) {
                Some(named) if is_trusted(named) => address = named,
                Some(named) => return named,
                None => {
                    warn(header, address);
                    return stand_in(address, without_port(&node));
                }
            }
        }
    }
    address
}

/// The elements of a header's list that are not empty, from the right.
///
/// In `Forwarded` a comma within quotes is none between elements. `X-Forwarded-For` has no such rule.
fn elements<'a>(header: &str, value: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let is_forwarded = header == FORWARDED;
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let list = rest?;
        let comma = if is_forwarded {
            last_outside_quotes(list, b',')
        } else {
            list.iter().rposition(|byte| *byte == b',')
        };
        rest = comma.map(|at| &list[..at]);
        Some(list[comma.map_or(0, |at| at + 1)..].trim_ascii())
    })
    .filter(|element| !element.is_empty())
}

/// Where `separator` stands last in `text`, outside of quotes as they are seen from the right.
fn last_outside_quotes(text: &[u8], separator: u8) -> Option<usize> {
    let mut is_quoted = false;
    (0..text.len()).rev().find(|&at| {
        let backslashes = || text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        // Within quotes a backslash takes the meaning from the quote that it precedes.
        if text[at] == b'"' && !(is_quoted && backslashes() % 2 == 1) {
            is_quoted = !is_quoted;
        }
        text[at] == separator && !is_quoted
    })
}

/// The value of an element's one `for`: `for=192.0.2.1;proto=https`, `For="[2001:db8::1]:4711"`.
fn for_of(element: &str) -> Option<Cow<'_, str>> {
    let mut found = None;
    let mut rest = Some(element);
    while let Some(pairs) = rest {
        let semicolon = last_outside_quotes(pairs.as_bytes(), b';');
        rest = semicolon.map(|at| &pairs[..at]);
        let pair = &pairs[semicolon.map_or(0, |at| at + 1)..];
        let Some((name, value)) = pair.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("for") {
            // A parameter that stands twice means nothing (RFC 7239, section 4).
            if found.is_some() {
                return None;
            }
            found = Some(unquoted(value));
        }
    }
    found
}

/// A token as it is, a quoted string without its quotes and backslashes (RFC 9110, section 5.6.4).
fn unquoted(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        None => Cow::Borrowed(value),
        Some(inner) if !inner.contains('\\') => Cow::Borrowed(inner.trim()),
        Some(inner) => {
            let mut characters = inner.chars();
            let mut text = String::with_capacity(inner.len());
            while let Some(character) = characters.next() {
                text.extend(if character == '\\' { characters.next() } else { Some(character) });
            }
            Cow::Owned(text.trim().to_owned())
        }
    }
}

/// An address with or without a port: `192.0.2.1:80`, `2001:db8::1`, `[fe80::1%eth0]:80`. An address that only maps an
/// IPv4 address is that.
fn parse_node(node: &str) -> Option<IpAddr> {
    if let Some(bracketed) = node.strip_prefix('[') {
        let (inside, behind) = bracketed.split_once(']')?;
        let is_port = behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
        return parse_v6(inside).filter(|_| is_port);
    }
    if let Some(address) = parse_v6(node) {
        return Some(address);
    }
    without_port(node).parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

/// An IPv6 address, whose zone (RFC 4007, section 11) means something to the proxy alone.
fn parse_v6(text: &str) -> Option<IpAddr> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical())
}

/// The name without a port behind it: a name with it would differ with each connection.
fn without_port(node: &str) -> &str {
    match node.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => node,
    }
}

/// A number, or an obfuscated port (RFC 7239, section 6).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(name) => name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)),
        None => text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// What stands for a client that `proxy` names by something else than an address.
fn stand_in(proxy: IpAddr, name: &str) -> IpAddr {
    let mut hasher = DefaultHasher::new();
    (proxy, name.to_ascii_lowercase()).hash(&mut hasher);
    let [_, hash @ ..] = hasher.finish().to_be_bytes();
    let mut bytes = [0; 16];
    bytes[0] = 0xfc;
    bytes[1..8].copy_from_slice(&hash);
    IpAddr::V6(bytes.into())
}

/// Logs, once in a while, that a proxy's header could not be read; without its value, which a client may have written.
fn warn(header: &str, proxy: IpAddr) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock();
    if last.is_none_or(|last| last.elapsed() >= WARNING_INTERVAL) {
        *last = Some(Instant::now());
        tracing::warn!(
            header,
            %proxy,
            "a trusted proxy names its client by something that is no address; limits by address are of less use"
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PEER: &str = "10.0.0.1";

    /// The client's address behind the proxies of 10.0.0.0/8, with these headers.
    fn client(headers: &[(&'static str, &[u8])]) -> IpAddr {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        client_address(PEER.parse().unwrap(), &map, &["10.0.0.0/8".parse().unwrap()])
    }

    fn x_forwarded_for(value: &str) -> String {
        client(&[(X_FORWARDED_FOR, value.as_bytes())]).to_string()
    }

    fn forwarded(value: &str) -> String {
        client(&[(FORWARDED, value.as_bytes())]).to_string()
    }

    fn is_stand_in(address: &str) -> bool {
        address.starts_with("fc")
    }

    #[test]
    fn forwarded_addresses_count_behind_trusted_proxies_alone() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, "1.2.3.4, 5.6.7.8".parse().unwrap());
        headers.append(X_FORWARDED_FOR, "10.0.0.2".parse().unwrap());
        let address =
            |peer: &str, trusted: &[IpNet]| client_address(peer.parse().unwrap(), &headers, trusted);
        assert_eq!(address("10.0.0.1", &trusted).to_string(), "5.6.7.8");
        assert_eq!(address("10.0.0.1", &[]).to_string(), "10.0.0.1");
        assert_eq!(address("9.9.9.9", &trusted).to_string(), "9.9.9.9");
    }

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for (value, address) in [
            ("203.0.113.9:51008", "203.0.113.9"),
            ("203.0.113.9", "203.0.113.9"),
            ("\"203.0.113.9:51008\"", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
            ("203.0.113.9:_port", "203.0.113.9"),
            (" ,, 203.0.113.9:1 , , ", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9:51008, 10.1.1.1:80,\t[::ffff:10.2.2.2]:9", "203.0.113.9"),
            ("10.9.9.9:1, 10.1.1.1", "10.9.9.9"),
        ] {
            assert_eq!(x_forwarded_for(value), address, "{value}");
        }
        assert_eq!(x_forwarded_for(""), PEER);
        assert_eq!(x_forwarded_for(" , "), PEER);
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        for (value, address) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=https; FOR = 192.0.2.43 ;host=\"a,b;for=1.1.1.1\"", "192.0.2.43"),
            ("for=198.51.100.17, for=\"192.0.2.43:47011\";proto=https, for=10.3.3.3", "192.0.2.43"),
            ("for=192.0.2.43,for=\"\\1\\0.1.1.1\"", "192.0.2.43"),
            ("for=[2001:db8::1]:80", "2001:db8::1"),
            ("for=\"_gazonk\", for=192.0.2.43", "192.0.2.43"),
        ] {
            assert_eq!(forwarded(value), address, "{value}");
        }
        assert_eq!(forwarded(""), PEER);
    }

    #[test]
    fn headers_of_the_same_name_are_one_list() {
        let value = |value: &'static str| (X_FORWARDED_FOR, value.as_bytes());
        let found =
            client(&[value("1.1.1.1"), value("203.0.113.9:7"), value(""), value("10.0.0.2, 10.0.0.3")]);
        assert_eq!(found.to_string(), "203.0.113.9");
    }

    #[test]
    fn x_forwarded_for_counts_before_forwarded() {
        let forged = (FORWARDED, &b"for=1.1.1.1"[..]);
        assert_eq!(client(&[forged, (X_FORWARDED_FOR, b"203.0.113.9")]).to_string(), "203.0.113.9");
        assert_eq!(client(&[forged, (X_FORWARDED_FOR, b" , ")]).to_string(), "1.1.1.1");
    }

    #[test]
    fn what_is_no_address_is_neither_the_proxy_nor_another_client() {
        let odd =
            ["unknown", "_hidden", "_SEVKISEK", "203.0.113.9x", "300.1.1.1", "[::1", "[::1]x", "host", "\""];
        let mut seen = std::collections::HashSet::new();
        for value in odd {
            let address = x_forwarded_for(&format!("1.1.1.1, {value}"));
            assert!(is_stand_in(&address), "{value}: {address}");
            assert!(seen.insert(address.clone()), "{value}");
            assert_eq!(x_forwarded_for(&format!("2.2.2.2, {value}")), address, "{value}");
        }
        assert_eq!(x_forwarded_for("unknown:4711"), x_forwarded_for("Unknown"));
        assert_eq!(forwarded("for=unknown"), x_forwarded_for("unknown"));
        assert_ne!(x_forwarded_for("unknown, 10.0.0.2"), x_forwarded_for("unknown"), "another proxy's");
        for value in ["proto=https", "for=1.1.1.1;for=2.2.2.2", "for=1.1.1.1, by=_x", "for=", "for"] {
            assert!(is_stand_in(&forwarded(value)), "{value}");
        }
        let bytes = client(&[(X_FORWARDED_FOR, b"1.1.1.1, \xff\xfe")]).to_string();
        assert!(is_stand_in(&bytes), "{bytes}");
        // They stay apart where a /64 is one client.
        let network = |text: &str| text.parse::<Ipv6Addr>().unwrap().segments()[..4].to_vec();
        assert_ne!(network(&x_forwarded_for("_a")), network(&x_forwarded_for("_b")));
    }

    #[test]
    fn a_client_can_not_hide_what_the_proxy_appends() {
        for forged in
            ["for=\"", "for=\"\\", "for=\"[::1]", "\\", "\"", "for=a;\"", "x=\"\\\"", "for=\"1.1.1.1, "]
        {
            for own in ["for=203.0.113.9", "for=\"203.0.113.9:80\"", "by=\"_\\\"x\";for=\"203.0.113.9\""] {
                assert_eq!(forwarded(&format!("{forged}, {own}")), "203.0.113.9", "{forged}");
            }
            assert_eq!(x_forwarded_for(&format!("{forged}, 203.0.113.9")), "203.0.113.9", "{forged}");
        }
    }

    /// An address as some proxy writes it, of a client or of a trusted proxy.
    fn written(v6: bool, port: Option<u16>, is_quoted: bool, address: IpAddr) -> String {
        let address = match address {
            IpAddr::V4(v4) if v6 => format!("[{}]", v4.to_ipv6_mapped()),
            IpAddr::V6(v6) => format!("[{v6}]"),
            IpAddr::V4(v4) => v4.to_string(),
        };
        let node = port.map_or(address.clone(), |port| format!("{address}:{port}"));
        if is_quoted { format!("\"{node}\"") } else { node }
    }

    proptest! {
        #[test]
        fn what_proxies_write_is_read(
            address in any::<IpAddr>(),
            forms in prop::collection::vec((any::<bool>(), any::<Option<u16>>(), any::<bool>()), 3),
            forged in "[ -~]{0,40}",
            spaces in "[ \t]{0,3}",
        ) {
            let address = address.to_canonical();
            prop_assume!(!matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10));
            let proxies = ["10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap()];
            let mut chain = vec![forged.clone()];
            let mut tagged = vec![forged];
            for ((v6, port, is_quoted), address) in forms.into_iter().zip([address].into_iter().chain(proxies)) {
                chain.push(written(v6, port, is_quoted, address));
                tagged.push(format!("proto=https;for={};by=_x", written(v6, port, is_quoted, address)));
            }
            let separator = format!("{spaces},{spaces}");
            prop_assert_eq!(x_forwarded_for(&chain.join(&separator)), address.to_string());
            prop_assert_eq!(forwarded(&tagged.join(&separator)), address.to_string());
        }

        #[test]
        fn anything_is_answered(mut value in prop::collection::vec(any::<u8>(), 0..60)) {
            for byte in &mut value {
                if byte.is_ascii_control() {
                    *byte = b'"';
                }
            }
            for header in [X_FORWARDED_FOR, FORWARDED] {
                let names_something = elements(header, &value).next().is_some();
                let found = client(&[(header, &value)]);
                // Never the peer's address, unless nothing stands there or the proxy itself.
                if names_something && found.to_string() == PEER {
                    prop_assert!(String::from_utf8_lossy(&value).contains(PEER));
                }
            }
        }
    }
}
