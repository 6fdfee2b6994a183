//! The keys of tokens: a secret that signs and verifies (HS256), or the public key of a platform, which verifies alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::pkcs8::{ObjectIdentifier, SubjectPublicKeyInfoRef};

/// The shortest RSA key, in bits (RFC 7518, section 3.3).
const MIN_RSA_BITS: usize = 2048;
/// The longest RSA key that the library verifies with, in bits.
const MAX_RSA_BITS: usize = RsaPublicKey::MAX_SIZE;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ELLIPTIC_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// What tokens are verified with. The algorithm belongs to the key: what a token names as its own has to be the same, so
/// that no token can have its signature checked in another way than the key is meant for.
#[derive(Clone)]
pub struct TokenKey {
    pub(super) algorithm: Algorithm,
    /// The algorithm as a token's header names it.
    pub(super) name: &'static str,
    pub(super) decoding: DecodingKey,
    /// What signs tokens that are issued here; `None` if only the platform can sign.
    pub(super) encoding: Option<EncodingKey>,
}

/// Why a PEM text holds no usable public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no PEM block.
    #[error("no public key in PEM (-----BEGIN PUBLIC KEY-----)")]
    NoPem,
    /// There are several PEM blocks.
    #[error("holds more than one key")]
    Several,
    /// The owner of a private key keeps it to themselves.
    #[error("holds a private key; write the public one with: openssl pkey -in FILE -pubout")]
    Private,
    /// A certificate, which has an issuer and an end that nobody would check here.
    #[error("holds a certificate; write its public key with: openssl x509 -in FILE -noout -pubkey")]
    Certificate,
    /// The block is damaged.
    #[error("the public key can't be read")]
    Unreadable,
    /// The key is of a kind for another algorithm.
    #[error("the key is neither RSA, nor of the curve P-256, nor Ed25519")]
    Kind,
    /// The RSA key is too short to be safe.
    #[error("an RSA key of {0} bits; it needs 2048 or more")]
    Short(usize),
    /// The RSA key is longer than the library takes.
    #[error("an RSA key of more than 4096 bits")]
    Long,
}

impl TokenKey {
    /// Signs and verifies with HS256.
    pub fn secret(secret: &str) -> Self {
        Self {
            algorithm: Algorithm::HS256,
            name: "HS256",
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            encoding: Some(EncodingKey::from_secret(secret.as_bytes())),
        }
    }

    /// Verifies with the public key in a PEM text: RS256 with an RSA key, ES256 with one of the curve P-256, `EdDSA` with an
    /// Ed25519 key.
    pub fn public(pem: &str) -> Result<Self, KeyError> {
        let der = read_pem(pem)?;
        let info = SubjectPublicKeyInfoRef::try_from(&*der).map_err(|_| KeyError::Unreadable)?;
        let key = info.subject_public_key.as_bytes().ok_or(KeyError::Unreadable)?;
        let (algorithm, name, decoding) = match info.algorithm.oid {
            RSA => {
                check_rsa(key)?;
                (Algorithm::RS256, "RS256", DecodingKey::from_rsa_der(key))
            }
            ELLIPTIC_CURVE if info.algorithm.parameters_oid() == Ok(P256) => {
                (Algorithm::ES256, "ES256", DecodingKey::from_ec_der(key))
            }
            ED25519 if key.len() == 32 => (Algorithm::EdDSA, "EdDSA", DecodingKey::from_ed_der(key)),
            _ => return Err(KeyError::Kind),
        };
        // The library reads the point of an elliptic curve before it looks at the signature, which this is none.
        jsonwebtoken::crypto::verify("", b"", &decoding, algorithm).map_err(|_| KeyError::Unreadable)?;
        Ok(Self { algorithm, name, decoding, encoding: None })
    }
}

/// The one `PUBLIC KEY` of a PEM text (RFC 7468, section 13), as DER. Lines may be of any length: keys pass through
/// environments and templates that join them.
fn read_pem(pem: &str) -> Result<Vec<u8>, KeyError> {
    let label =
        |line: &str| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----").map(str::to_owned);
    let labels: Vec<String> = pem.lines().filter_map(label).collect();
    match labels.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["PUBLIC KEY"] => {}
        // An elliptic curve's parameters come before its private key.
        [.., last] if last.ends_with("PRIVATE KEY") => return Err(KeyError::Private),
        ["CERTIFICATE"] => return Err(KeyError::Certificate),
        [] | [_] => return Err(KeyError::NoPem),
        _ => return Err(KeyError::Several),
    }
    // Text around the block is no part of it (RFC 7468, section 2).
    let mut lines = pem.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN ")).skip(1);
    let base64: String = lines.by_ref().take_while(|line| *line != "-----END PUBLIC KEY-----").collect();
    STANDARD.decode(base64).map_err(|_| KeyError::Unreadable)
}

fn check_rsa(key: &[u8]) -> Result<(), KeyError> {
    let public = rsa::pkcs1::RsaPublicKey::try_from(key).map_err(|_| KeyError::Unreadable)?;
    let modulus = public.modulus.as_bytes();
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    match bits {
        ..MIN_RSA_BITS => Err(KeyError::Short(bits)),
        MIN_RSA_BITS..=MAX_RSA_BITS => {
            RsaPublicKey::from_pkcs1_der(key).map(drop).map_err(|_| KeyError::Unreadable)
        }
        _ => Err(KeyError::Long),
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenKey").field("algorithm", &self.name).finish_non_exhaustive()
    }
}
