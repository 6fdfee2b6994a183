//! What may be written in a message.

use super::refusal::Refusal;

/// The greatest length of a text in UTF-16 units, as JavaScript counts.
pub const MAX_TEXT_UNITS: usize = 2000;

/// The greatest length of a `client_id`, in characters.
pub(super) const MAX_CLIENT_ID: usize = 64;

/// The length of a notification's preview in UTF-16 units.
pub(super) const PREVIEW_UNITS: usize = 60;

/// The length of what a reply quotes in UTF-16 units.
pub(super) const QUOTE_UNITS: usize = 200;

/// The greatest length of a URL, in bytes.
pub(super) const MAX_URL: usize = 2048;

/// Whether the text is an http or https URL of at most [`MAX_URL`] bytes.
pub(super) fn is_web_url(text: &str) -> bool {
    let is_web =
        url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    is_web && text.len() <= MAX_URL && !text.contains(char::is_whitespace)
}

/// Checks a text before it is stored.
pub fn check(text: &str) -> Result<(), Refusal> {
    if text.chars().all(is_javascript_space) {
        return Err(Refusal::TextRequired);
    }
    // A UTF-8 text has at least as many bytes as UTF-16 units, so most texts need no counting.
    if text.len() > MAX_TEXT_UNITS && text.encode_utf16().count() > MAX_TEXT_UNITS {
        return Err(Refusal::TextTooLong);
    }
    if text.contains('\0') {
        return Err(Refusal::InvalidMessage);
    }
    Ok(())
}

/// What a notification shows of a text.
pub fn preview(text: &str) -> &str {
    first(text, PREVIEW_UNITS)
}

/// What a reply quotes of a text.
pub fn quote(text: &str) -> &str {
    first(text, QUOTE_UNITS)
}

/// The first UTF-16 units, less the half of a surrogate pair that the cut would leave.
fn first(text: &str, most: usize) -> &str {
    let mut units = 0;
    for (index, character) in text.char_indices() {
        units += character.len_utf16();
        if units > most {
            return &text[..index];
        }
    }
    text
}

/// White space as `String.prototype.trim` sees it: U+FEFF counts, U+0085 does not.
fn is_javascript_space(character: char) -> bool {
    character == '\u{feff}' || (character.is_whitespace() && character != '\u{85}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_texts_are_refused() {
        for blank in [
            "",
            " ",
            "\t\r\n\u{b}\u{c}",
            "\u{a0}\u{1680}\u{2003}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}",
        ] {
            assert_eq!(check(blank), Err(Refusal::TextRequired), "{blank:?}");
        }
        assert_eq!(check("\u{85}"), Ok(()));
        assert_eq!(check("\u{200b}"), Ok(()));
    }

    #[test]
    fn length_is_counted_as_javascript_does() {
        assert_eq!(check(&"x".repeat(2000)), Ok(()));
        assert_eq!(check(&"x".repeat(2001)), Err(Refusal::TextTooLong));
        assert_eq!(check(&"é".repeat(2000)), Ok(()));
        assert_eq!(check(&"🐴".repeat(1000)), Ok(()));
        assert_eq!(check(&"🐴".repeat(1001)), Err(Refusal::TextTooLong));
    }

    #[test]
    fn null_is_refused() {
        assert_eq!(check("a\0b"), Err(Refusal::InvalidMessage));
    }

    #[test]
    fn a_preview_never_cuts_a_pair() {
        assert_eq!(preview("short"), "short");
        assert_eq!(preview(&"x".repeat(61)), "x".repeat(60));
        let text = format!("{}🐴tail", "x".repeat(59));
        assert_eq!(preview(&text), "x".repeat(59));
        let text = format!("{}🐴tail", "x".repeat(58));
        assert_eq!(preview(&text), format!("{}🐴", "x".repeat(58)));
    }
}
