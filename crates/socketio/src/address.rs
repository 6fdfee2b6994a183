//! Where a client comes from, and what counts as one address.

use std::net::{IpAddr, Ipv6Addr};

/// Where a request comes from, behind trusted proxies; an extension of every request of [`serve`](crate::serve).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// What one party is given, and so is counted as one address: an IPv4 address, also where it is written as an IPv6 one,
/// or the first half of an IPv6 address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_address() {
        let networks = |addresses: &[&str]| -> Vec<String> {
            addresses.iter().map(|address| network(address.parse().unwrap()).to_string()).collect()
        };
        assert_eq!(networks(&["192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207"]), ["192.0.2.7"; 3]);
        assert_eq!(networks(&["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"]), ["2001:db8:1:2::"; 2]);
        assert_ne!(networks(&["2001:db8:1:2::1"]), networks(&["2001:db8:1:3::1"]));
    }
}
