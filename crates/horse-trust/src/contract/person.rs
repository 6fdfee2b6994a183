//! Accounts as admins and the platform see them, and the rules of their fields.

use serde::Serialize;

use super::people::Suspension;
#[cfg(test)]
use super::schema;
use super::text;
use crate::id::Id;
use crate::timestamp::Timestamp;
use crate::unicode;

/// The longest e-mail address (RFC 5321), in bytes.
pub const MAX_EMAIL: usize = 254;
/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// An account, as admins and the platform see it; never the hash.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "User"))]
pub struct Person<'a> {
    /// The user.
    #[serde(rename = "_id")]
    pub id: &'a Id,
    /// 1 to 100 characters; null if there is none.
    pub full_name: Option<&'a str>,
    /// Left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_picture_url: Option<&'a str>,
    /// Lower-case; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// `+` and 7 to 15 digits; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<&'a str>,
    /// The rights.
    #[cfg_attr(test, schemars(with = "schema::Role"))]
    pub role: &'a str,
    /// Whether the account may be used; apart from a suspension.
    pub is_active: bool,
    /// When it was made here.
    pub created_at: Timestamp,
    /// Until when the account is suspended, and why; left out if it is not. `is_active: false` is one without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension<'a>>,
    /// True once the account was erased; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_deleted: bool,
}

/// A name as it is stored; the error is what is wrong with it.
pub fn full_name(text: &str) -> Result<String, &'static str> {
    let name = unicode::nfc(text.trim()).into_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        Err("Full name is required (maximum 100 characters)")
    } else if unicode::is_name(&name) {
        Ok(name)
    } else {
        Err("Full name must be visible text in one line")
    }
}

/// An e-mail as it is stored; the error is what is wrong with it.
pub fn email(text: &str) -> Result<String, &'static str> {
    let email = unicode::email(text);
    if is_email(&email) { Ok(email) } else { Err("A valid email is required") }
}

/// A phone number; the error is what is wrong with it.
pub fn phone(text: &str) -> Result<String, &'static str> {
    if is_phone(text) { Ok(text.to_owned()) } else { Err("Phone must look like +5491112345678") }
}

/// The URL of a picture; the error is what is wrong with it.
pub fn picture_url(text: &str) -> Result<String, &'static str> {
    if text::is_web_url(text) {
        Ok(text.to_owned())
    } else {
        Err("The picture must be an http or https URL (maximum 2048 bytes)")
    }
}

/// Whether the text looks like an e-mail address: one `@`, a domain with a dot, no character that addresses do not have.
fn is_email(email: &str) -> bool {
    let Some((local, domain)) = email.split_once('@') else { return false };
    email.len() <= MAX_EMAIL
        && !local.is_empty()
        && domain.contains('.')
        && !domain.contains('@')
        && domain
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && !email.contains(|character: char| {
            character.is_whitespace()
                || character.is_control()
                || unicode::is_invisible(character)
                || "<>()[],;:\\\"".contains(character)
        })
}

/// `+` and 7 to 15 digits, the first not 0 (E.164).
fn is_phone(phone: &str) -> bool {
    phone.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_and_phones_are_plausible() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "ñ@exämple.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in
            ["", "a", "a@b", "@b.co", "a@b..co", "a@b@c.de", "a b@c.de", "a@-b.co", "a\0@b.co", "<a@b.co>"]
                .into_iter()
                .chain(["a@b.co\u{200b}", "\u{202e}a@b.co", "a\u{ad}@b.co", "a@b.c\u{2060}o"])
        {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(is_phone("+5491112345678"));
        for bad in ["5491112345678", "+0123456789", "+123", "+1234567890123456", "+54 911", "+"] {
            assert!(!is_phone(bad), "{bad}");
        }
    }
}
