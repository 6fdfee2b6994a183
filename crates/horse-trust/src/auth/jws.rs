//! Verification of signed tokens in compact form (JWS, RFC 7515), with the one algorithm of the key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::claim_rules::{ClaimRules, RawClaims, ReadClaims};
use super::token_key::TokenKey;
use crate::store::TokenId;

/// The parts of a JOSE header that decide whether a token is accepted. All others (`kid`, `typ`, `jku` …) are ignored,
/// whatever their type: no key is looked up by them.
#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

/// Distinguishes `null` from a missing parameter.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The parts of a compact JWS (RFC 7515, section 7.1), as they came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact<'a> {
    /// Header and claims with the dot between: what is signed.
    signed: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token.
    pub(super) fn split(token: &'a str) -> Result<Self, &'static str> {
        let (signed, signature) = token.rsplit_once('.').ok_or("no signature")?;
        let (header, claims) = signed.split_once('.').ok_or("not of three parts")?;
        Ok(Self { signed, header, claims, signature })
    }

    /// See [`TokenId`]. The signature is not part of it: a signature may be written in several ways.
    pub(super) fn id(&self) -> TokenId {
        let digest = Sha256::digest(self.signed);
        TokenId(i64::from_be_bytes(std::array::from_fn(|place| digest[place])))
    }

    /// Checks header and signature, and parses the claims. An error says what is wrong without a part of the token.
    pub(super) fn verify(&self, key: &TokenKey, rules: &ClaimRules) -> Result<RawClaims, &'static str> {
        let header: Option<RawHeader> =
            decode_part(self.header).and_then(|json| serde_json::from_slice(&json).ok());
        let header = header.ok_or("the header is not a JSON object with alg")?;
        // The key decides, never the token (RFC 8725, section 3.1).
        if header.alg != key.name {
            return Err("another algorithm than the key's");
        }
        // An extension that the issuer marks as critical must be refused if it is not understood (section 4.1.11).
        if header.crit.is_some() {
            return Err("a critical extension");
        }
        let signed = self.signed.as_bytes();
        match jsonwebtoken::crypto::verify(self.signature, signed, &key.decoding, key.algorithm) {
            Ok(true) => {}
            _ => return Err("the signature does not match"),
        }
        let claims = decode_part(self.claims).and_then(|json| {
            let mut deserializer = serde_json::Deserializer::from_slice(&json);
            let claims = ReadClaims(rules).deserialize(&mut deserializer).ok()?;
            deserializer.end().ok().map(|()| claims)
        });
        claims.ok_or("the claims are not a JSON object, or one stands twice")
    }
}

/// Decodes a part of a token: base64url of a JSON object.
fn decode_part(part: &str) -> Option<Vec<u8>> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    // serde also reads a struct from an array.
    json.iter().find(|byte| !byte.is_ascii_whitespace()).filter(|byte| **byte == b'{')?;
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_token_stays_what_it_was() {
        // Stored ids have to mean the same tokens after an update.
        let id = Compact::split("header.claims.signature").unwrap().id();
        assert_eq!(id, TokenId(0x01b2_2370_5404_6a8f | i64::MIN));
    }
}
