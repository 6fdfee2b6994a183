//! The HTTP client of everything that calls another server.

use std::sync::Arc;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// A client that trusts this machine's root certificates (or those of `SSL_CERT_FILE`), follows no redirect, and uses no
/// proxy. The caller adds its time limits.
///
/// A machine without root certificates can still call `http` URLs; every certificate is refused then.
pub fn builder() -> Result<ClientBuilder, rustls::Error> {
    Ok(Client::builder()
        .tls_backend_preconfigured(tls()?)
        // A redirect would send a signed body, or a key, to a host that no setting names.
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("horse-trust/", env!("CARGO_PKG_VERSION"))))
}

/// Whose certificates such a client accepts, and how it encrypts.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "some of this machine's root certificates could not be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library looks at run time at the type of the configuration that it is given.
    #[test]
    fn the_library_takes_this_configuration() {
        builder().unwrap().build().unwrap();
    }
}
