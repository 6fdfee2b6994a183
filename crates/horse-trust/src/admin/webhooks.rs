//! The ids of webhooks.

use crate::timestamp::Timestamp;

const PREFIX: &str = "msg_";
/// Hexadecimal digits of the time, and of the number.
const DIGITS: usize = 11;

/// The id by which a receiver recognises a repeat. With the time in it, no id comes twice after a database was restored.
pub fn webhook_id(number: i64, at: Timestamp) -> String {
    format!("{PREFIX}{:0DIGITS$x}{number:0DIGITS$x}", at.0)
}

/// The event's number and time in an id; `None` for what is none.
pub fn parse_webhook_id(id: &str) -> Option<(i64, Timestamp)> {
    let digits = id.strip_prefix(PREFIX).filter(|digits| digits.len() == 2 * DIGITS)?;
    let (at, number) = digits.split_at_checked(DIGITS)?;
    let parse = |digits| i64::from_str_radix(digits, 16).ok();
    let (number, at) = (parse(number)?, Timestamp(parse(at)?));
    // One event has one id: neither `+1` nor capitals.
    Some((number, at)).filter(|_| webhook_id(number, at) == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_which_event() {
        let at = Timestamp(1_700_000_000_000);
        let id = webhook_id(255, at);
        assert_eq!(id, "msg_18bcfe56800000000000ff");
        assert_eq!(parse_webhook_id(&id), Some((255, at)));
        for bad in [
            "",
            "msg_",
            "msg_18BCFE56800000000000FF",
            "18bcfe56800000000000ff",
            "msg_18bcfe568000000000000ff",
            "msg_+8bcfe56800000000000ff",
            "msg_18bcfe56800000000000é",
        ] {
            assert_eq!(parse_webhook_id(bad), None, "{bad}");
        }
    }
}
