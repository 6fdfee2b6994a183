//! Verification of signed tokens in compact form (JWS, RFC 7515), with HS256 alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::store::TokenId;

/// The parts of a JOSE header that decide whether a token is accepted. All others (`kid`, `typ`, `jku` …) are ignored,
/// whatever their type: no key is looked up by them.
#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

/// Distinguishes `null` from a missing claim.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Checks header and signature of a compact JWS (RFC 7515, section 7.1), and parses its claims. An error says what is wrong
/// without a part of the token.
pub(super) fn verify<T: DeserializeOwned>(
    token: &str,
    key: &DecodingKey,
) -> Result<(T, TokenId), &'static str> {
    let (signed, signature) = token.rsplit_once('.').ok_or("no signature")?;
    let (header, claims) = signed.split_once('.').ok_or("not of three parts")?;
    let header: RawHeader = decode_part(header).ok_or("the header is not a JSON object with alg")?;
    if header.alg != "HS256" {
        return Err("the algorithm is not HS256");
    }
    // An extension that the issuer marks as critical must be refused if it is not understood (section 4.1.11).
    if header.crit.is_some() {
        return Err("a critical extension");
    }
    match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), key, Algorithm::HS256) {
        Ok(true) => {
            let claims = decode_part(claims).ok_or("the claims are not a JSON object")?;
            Ok((claims, token_id(signed)))
        }
        _ => Err("the signature does not match"),
    }
}

/// See [`TokenId`]. The signature is not part of it: a signature may be written in several ways.
fn token_id(signed: &str) -> TokenId {
    let digest = Sha256::digest(signed);
    TokenId(i64::from_be_bytes(std::array::from_fn(|place| digest[place])))
}

/// Parses a part of a token: base64url of a JSON object.
fn decode_part<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    // serde also reads a struct from an array.
    json.iter().find(|byte| !byte.is_ascii_whitespace()).filter(|byte| **byte == b'{')?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_token_stays_what_it_was() {
        // Stored ids have to mean the same tokens after an update.
        assert_eq!(token_id("header.claims"), TokenId(0x01b2_2370_5404_6a8f | i64::MIN));
    }
}
