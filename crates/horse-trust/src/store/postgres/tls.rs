//! TLS to the database: what `sslmode` and `sslrootcert` of a URL mean, which is what they mean to libpq.

use std::path::Path;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a URL says of TLS.
#[derive(Default)]
pub(super) struct TlsOptions {
    /// `sslmode`, if it is there.
    pub(super) mode: Option<String>,
    /// `sslrootcert`, if it is there.
    root: Option<String>,
}

impl TlsOptions {
    /// Takes them out of a URL; answers the rest, which tokio-postgres reads.
    pub(super) fn take(url: &str) -> Result<(String, Self), String> {
        let mut options = Self::default();
        // What is before an @ may hold a question mark: a password.
        let begin = url.find('@').unwrap_or(0);
        let Some(query) = url[begin..].find('?') else { return Ok((url.to_owned(), options)) };
        let (place, query) = url.split_at(begin + query);
        let mut rest = Vec::new();
        for pair in query[1..].split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let option = match name {
                "sslmode" => &mut options.mode,
                "sslrootcert" => &mut options.root,
                _ => {
                    rest.push(pair);
                    continue;
                }
            };
            let value = percent_decode_str(value).decode_utf8();
            *option = Some(value.map_err(|_| format!("{name}: not UTF-8"))?.into_owned());
        }
        let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
        Ok((format!("{place}{query}"), options))
    }

    /// Whether TLS is spoken, and how.
    pub(super) fn connector(&self) -> Result<(SslMode, MakeRustlsConnect), String> {
        let mode = self.mode.as_deref().unwrap_or("prefer");
        let (ssl_mode, roots, is_name_checked) = match (mode, &self.root) {
            ("disable" | "prefer", Some(_)) => {
                return Err(format!(
                    "sslrootcert: sslmode={mode} checks no certificate; require, verify-ca and verify-full do"
                ));
            }
            ("disable", None) => (SslMode::Disable, None, false),
            ("prefer", None) => (SslMode::Prefer, None, false),
            ("require", None) => (SslMode::Require, None, false),
            ("require" | "verify-ca", Some(file)) => (SslMode::Require, Some(roots_of(file)?), false),
            ("verify-ca", None) => return Err("sslmode=verify-ca: needs sslrootcert=FILE".to_owned()),
            ("verify-full", Some(file)) => (SslMode::Require, Some(roots_of(file)?), true),
            ("verify-full", None) => (SslMode::Require, Some(roots_of_system()?), true),
            _ => {
                return Err(format!(
                    "sslmode={mode}: it is none of disable, prefer, require, verify-ca and verify-full"
                ));
            }
        };
        let mut config =
            configuration(roots, is_name_checked).map_err(|error| format!("sslmode={mode}: {error}"))?;
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok((ssl_mode, MakeRustlsConnect::new(config)))
    }
}

fn roots_of(file: &str) -> Result<RootCertStore, String> {
    let failed = |reason: &dyn std::fmt::Display| format!("sslrootcert={file}: {reason}");
    let text = std::fs::read(Path::new(file)).map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() { Err(failed(&"no certificate in it")) } else { Ok(roots) }
}

fn roots_of_system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "some of this machine's root certificates could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err("sslmode=verify-full: this machine has no root certificates; name some with \
            sslrootcert=FILE"
            .to_owned());
    }
    Ok(roots)
}

/// A configuration that takes certificates below `roots`, or any; and those for other hosts, too, if no name is checked.
fn configuration(
    roots: Option<RootCertStore>,
    is_name_checked: bool,
) -> Result<ClientConfig, Box<dyn std::error::Error>> {
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider;
    let issuer = roots.map(|roots| verifier(Arc::new(roots), Arc::clone(&provider)).build()).transpose()?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(match issuer {
        Some(issuer) if is_name_checked => builder.with_webpki_verifier(issuer),
        issuer => {
            let verifier = AnyName { issuer, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    }
    .with_no_client_auth())
}

/// Takes a certificate whatever host it is for; whoever issued it, if there is no `issuer`.
#[derive(Debug)]
struct AnyName {
    issuer: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(issuer) = &self.issuer else { return Ok(ServerCertVerified::assertion()) };
        // The name is what is looked at last.
        match issuer.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
