//! Commands that work on a running server, over `/api/admin`. One file a resource; [`client`] makes the requests. [`check`]
//! tries what the settings name.

pub mod check;
pub mod client;
pub mod reports;
pub mod users;
pub mod webhooks;

use std::fmt::Write as _;

use serde_json::Value;

/// Text of users for a terminal: what would move its cursor or change its colours is written as an escape, and so are the
/// characters that change the direction of a line.
fn shown(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, character| {
        let is_directional =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || is_directional {
            write!(shown, "{}", character.escape_default()).expect("writing to a string never fails");
        } else {
            shown.push(character);
        }
        shown
    })
}

/// A list for people: `line` writes each of its entries, and the last line says how it goes on.
fn list_of(answer: &Value, line: fn(&Value) -> String) -> String {
    let mut lines: Vec<_> = answer["data"].as_array().into_iter().flatten().map(line).collect();
    if let Some(cursor) = answer["cursor"].as_str() {
        lines.push(format!("more: --after {}", shown(cursor)));
    }
    lines.join("\n")
}

/// JSON for people, a field a line, as [`shown`] has texts.
fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("a JSON value can always be written");
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_commands_of_users() {
        assert_eq!(shown("¡Hola, señora! 👋"), "¡Hola, señora! 👋");
        assert_eq!(shown("a\u{1b}[31m\n\tb\u{9b}c\u{202e}d"), "a\\u{1b}[31m\\n\\tb\\u{9b}c\\u{202e}d");
        assert_eq!(pretty(&serde_json::json!({"a": "\u{9b}x"})), "{\n  \"a\": \"\\u{9b}x\"\n}");
    }
}
