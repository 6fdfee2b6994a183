//! Claims and headers, to the letter.

use jsonwebtoken::{Algorithm, EncodingKey};

use super::*;

const WEEK: Duration = Duration::from_hours(7 * 24);

fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .unwrap()
}

#[test]
fn what_is_issued_verifies() {
    let tokens = Tokens::new("secret", WEEK);
    let user = Id::parse("507f1f77bcf86cd799439011").unwrap();
    let claims = tokens.verify(&tokens.issue(&user, Role::Admin, 0).unwrap()).unwrap();
    assert_eq!((claims.user, claims.role), (user, Role::Admin));
    assert!(
        Tokens::new("other", WEEK).verify(&tokens.issue(&claims_user(), Role::Seller, 0).unwrap()).is_err()
    );
}

#[test]
fn one_token_is_signed_out_and_no_other() {
    let tokens = Tokens::new("secret", WEEK);
    // Of another issuer, who gives no `jti`, and two of the same moment.
    let elsewhere = sign(Algorithm::HS256, "secret", &json!({"userId": "u"}));
    let [first, second] = [(); 2].map(|()| tokens.issue(&claims_user(), Role::Seller, 0).unwrap());
    assert_ne!(first, second);
    for (token, others) in [(&elsewhere, vec![&first, &second]), (&first, vec![&second])] {
        let Claims { user, token: id, .. } = tokens.verify(token).unwrap();
        assert!(tokens.void(VoidToken { user, token: id, expires_at: None }));
        assert_eq!(tokens.verify(token), Err(Rejection::Invalid));
        for other in others {
            assert!(tokens.verify(other).is_ok());
        }
    }
}

fn claims_user() -> Id {
    Id::parse("u").unwrap()
}

#[test]
fn claims_are_checked_to_the_letter() {
    let tokens = Tokens::new("secret", WEEK);
    let now = since_epoch().as_secs();
    let verify = |claims: &Value| tokens.verify(&sign(Algorithm::HS256, "secret", claims));
    let token = sign(Algorithm::HS256, "secret", &json!({"userId": "u"}));
    assert_eq!(
        tokens.verify(&token),
        Ok(Claims {
            user: claims_user(),
            role: Role::Seller,
            token: tokens.verify(&token).unwrap().token,
            expires_at: None,
            issued_at: None,
            generation: None
        })
    );
    assert!(verify(&json!({"userId": "u", "exp": now + 60, "nbf": now})).is_ok());
    for bad in [
        json!({}),
        json!({"userId": null}),
        json!({"userId": 7}),
        json!({"userId": ""}),
        json!({"userId": "a b"}),
        json!({"userId": "system"}),
        json!({"userId": "x".repeat(65)}),
        json!({"userId": {"$ne": null}}),
        json!({"userId": "u", "exp": now}),
        json!({"userId": "u", "exp": now - 1}),
        json!({"userId": "u", "exp": "later"}),
        json!({"userId": "u", "exp": null}),
        json!({"userId": "u", "nbf": now + 60}),
        json!({"userId": "u", "nbf": "now"}),
    ] {
        assert_eq!(verify(&bad), Err(Rejection::Invalid), "{bad}");
    }
}

#[test]
fn revoked_tokens_are_void_and_later_ones_are_not() {
    let tokens = Tokens::new("secret", WEEK);
    let old = tokens.issue(&claims_user(), Role::Seller, 0).unwrap();
    let elsewhere = |claims: Value| sign(Algorithm::HS256, "secret", &claims);
    let seconds = since_epoch().as_secs();
    // The clock of the store is an hour behind.
    let not_before = Timestamp::now().0 - 3_600_000;
    tokens.revoke(claims_user(), Revocation { generation: 1, not_before: Timestamp(not_before) });
    assert_eq!(tokens.verify(&old), Err(Rejection::Invalid));
    assert!(tokens.verify(&tokens.issue(&claims_user(), Role::Seller, 1).unwrap()).is_ok());
    for (iat, is_valid) in [(Some(seconds), true), (Some(seconds - 3_700), false), (None, false)] {
        let token = elsewhere(json!({"userId": "u", "iat": iat}));
        assert_eq!(tokens.verify(&token).is_ok(), is_valid, "{iat:?}");
    }
    assert!(tokens.verify(&elsewhere(json!({"userId": "v"}))).is_ok());
}

#[test]
fn header_parameters_other_than_alg_and_crit_are_ignored() {
    let tokens = Tokens::new("secret", WEEK);
    let verify = |header: &str, claims: &str| {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = jsonwebtoken::crypto::sign(
            signed.as_bytes(),
            tokens.key.encoding.as_ref().unwrap(),
            Algorithm::HS256,
        )
        .unwrap();
        tokens.verify(&format!("{signed}.{signature}"))
    };
    for good in [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","kid":7}"#,
        r#"{"alg":"HS256","kid":null,"typ":[1],"cty":{}}"#,
        r#"{"alg":"HS256","jwk":"none","x5c":3,"jku":false,"unknown":{"deep":[[]]}}"#,
    ] {
        assert!(verify(good, r#"{"userId":"u"}"#).is_ok(), "{good}");
    }
    for bad in [
        "{}",
        "[\"HS256\",null]",
        r#"{"alg":7}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
    ] {
        assert_eq!(verify(bad, r#"{"userId":"u"}"#), Err(Rejection::Invalid), "{bad}");
    }
    assert_eq!(verify(r#"{"alg":"HS256"}"#, r#"["u"]"#), Err(Rejection::Invalid));
}

#[test]
fn times_that_no_date_can_express_do_not_become_others() {
    let tokens = Tokens::new("secret", WEEK);
    let in_milliseconds = since_epoch().as_secs() * 1000 + 86_400_000;
    for exp in [json!(in_milliseconds), json!(1e300), json!(i64::MAX)] {
        let claims = json!({"userId": "u", "exp": exp, "iat": in_milliseconds});
        let claims = tokens.verify(&sign(Algorithm::HS256, "secret", &claims)).unwrap();
        assert!(claims.expires_at.is_some());
        assert_eq!(claims.expires_at.and_then(Timestamp::from_seconds), None, "{exp}");
        // Nor does it outlast a revocation.
        assert_eq!(claims.issued_at, None);
    }
}

#[test]
fn only_hs256_is_accepted() {
    let tokens = Tokens::new("secret", WEEK);
    let claims = json!({"userId": "u"});
    assert!(tokens.verify(&sign(Algorithm::HS512, "secret", &claims)).is_err());
    // {"alg":"none","typ":"JWT"} . {"userId":"u"}
    for none in [
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ1c2VySWQiOiJ1In0.",
        "eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiJ1In0",
    ] {
        assert!(tokens.verify(none).is_err());
    }
    let critical = Header { crit: Some(vec!["more".to_owned()]), ..Header::new(Algorithm::HS256) };
    let critical = jsonwebtoken::encode(&critical, &claims, tokens.key.encoding.as_ref().unwrap()).unwrap();
    assert!(tokens.verify(&critical).is_err());
    for garbage in ["", "a", "a.b.c", "..", "é"] {
        assert!(tokens.verify(garbage).is_err(), "{garbage}");
    }
}
