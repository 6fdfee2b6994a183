//! LISTING: what the platform shows of a horse.

use serde::{Deserialize, Serialize};

use super::custom::Custom;
use super::text::{MAX_URL, is_web_url};

/// The longest title, in characters.
const MAX_TITLE: usize = 200;
/// The longest price, in characters.
const MAX_PRICE: usize = 100;
/// The longest status, in characters.
const MAX_STATUS: usize = 30;

/// What the platform shows of a horse, in conversations about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listing {
    /// 1 to 200 characters.
    #[cfg_attr(test, schemars(length(min = 1, max = 200)))]
    pub title: String,
    /// A picture: an http or https URL of at most 2048 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    /// The page of the horse: an http or https URL of at most 2048 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The price, to be shown as it is: 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1, max = 100)))]
    pub price: Option<String>,
    /// A short word, such as `sold`: 1 to 30 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(min = 1, max = 30)))]
    pub status: Option<String>,
    /// What the platform keeps with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Custom>,
}

/// What becomes of a conversation's listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListingChange {
    /// It stays.
    Keep,
    /// It is taken away.
    Remove,
    /// It is replaced.
    Set(Listing),
}

impl Listing {
    /// What is wrong with it: of each field, what it has to be.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let texts = [
            ("title", Some(&self.title), MAX_TITLE),
            ("price", self.price.as_ref(), MAX_PRICE),
            ("status", self.status.as_ref(), MAX_STATUS),
        ];
        for (name, text, most) in texts {
            if text.is_some_and(|text| text.trim().is_empty() || text.chars().count() > most) {
                problems.push((name, format!("{name} must have 1 to {most} characters")));
            }
        }
        for (name, url) in [("image_url", &self.image_url), ("url", &self.url)] {
            if url.as_ref().is_some_and(|url| !is_web_url(url)) {
                problems
                    .push((name, format!("{name} must be an http or https URL (maximum {MAX_URL} bytes)")));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(title: &str, url: &str, price: &str, status: &str) -> Listing {
        let some = |text: &str| Some(text.to_owned());
        Listing {
            title: title.to_owned(),
            image_url: some(url),
            url: None,
            price: some(price),
            status: some(status),
            custom: None,
        }
    }

    #[test]
    fn each_field_has_its_bounds() {
        let longest = "é".repeat(MAX_TITLE);
        for good in [
            listing("Luna", "https://example.com/luna.jpg", "9 500 €", "sold"),
            listing(&longest, "http://a/", &"9".repeat(MAX_PRICE), &"s".repeat(MAX_STATUS)),
        ] {
            assert_eq!(good.problems(), []);
        }
        let url = "https://example.com/";
        for (bad, field) in [
            (listing("", url, "1", "s"), "title"),
            (listing(" \t", url, "1", "s"), "title"),
            (listing(&format!("{longest}x"), url, "1", "s"), "title"),
            (listing("Luna", "javascript:alert(1)", "1", "s"), "image_url"),
            (listing("Luna", "//example.com", "1", "s"), "image_url"),
            (listing("Luna", &format!("{url}{}", "x".repeat(MAX_URL)), "1", "s"), "image_url"),
            (listing("Luna", url, &"9".repeat(MAX_PRICE + 1), "s"), "price"),
            (listing("Luna", url, "1", &"s".repeat(MAX_STATUS + 1)), "status"),
            (listing("Luna", url, "1", ""), "status"),
        ] {
            let fields: Vec<_> = bad.problems().into_iter().map(|(field, _)| field).collect();
            assert_eq!(fields, [field], "{bad:?}");
        }
    }
}
