//! The client's address.

use std::net::{IpAddr, Ipv4Addr};

use http::Extensions;
use socketio::ClientAddress;

/// Where the request with these extensions comes from.
pub(super) fn client_address(extensions: &Extensions) -> IpAddr {
    let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    extensions.get::<ClientAddress>().map_or(unknown, |address| address.0)
}
