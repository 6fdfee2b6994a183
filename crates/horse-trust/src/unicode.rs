//! Text as people type it, made comparable, and characters that show nothing.

use std::borrow::Cow;

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// Joins or parts letters; Persian and the languages of India need both within words, emoji the first.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// A braille cell without a dot: a symbol by its category, and blank.
const BLANK_BRAILLE: char = '\u{2800}';

/// Normalization Form C (Unicode Standard Annex 15): what keyboards send composed or decomposed becomes one spelling.
pub fn nfc(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Normalization Form D: the decomposed spelling.
pub fn nfd(text: &str) -> String {
    text.nfd().collect()
}

/// An e-mail as it is stored and compared: without white space around it, in lower case, in Normalization Form C.
pub fn email(text: &str) -> String {
    nfc(&text.trim().to_lowercase()).into_owned()
}

/// Whether a character shows nothing by itself, or changes how its neighbours are shown: zero-width characters,
/// directional ones, fillers, tags (the property `Default_Ignorable_Code_Point`).
pub fn is_invisible(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Whether a text can be shown as somebody's name in one line beside other names: at least one visible character, no
/// control characters, no line breaks, and nothing invisible but joiners between visible characters and the variation
/// selectors of emoji.
pub fn is_name(text: &str) -> bool {
    let mut has_visible = false;
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let category = CodePointMapData::<GeneralCategory>::new().get(character);
        let is_right = match category {
            GeneralCategory::Control
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse => false,
            _ if JOINERS.contains(&character) => {
                before.is_some_and(is_visible) && characters.peek().copied().is_some_and(is_visible)
            }
            // A variation selector says how the character before it looks.
            _ if matches!(character, '\u{fe00}'..='\u{fe0f}') => before.is_some_and(is_visible),
            _ => !is_invisible(character),
        };
        if !is_right {
            return false;
        }
        has_visible |= is_visible(character);
        // A mark or a selector belongs to the character before it.
        if !is_invisible(character) || JOINERS.contains(&character) {
            before = Some(character);
        }
    }
    has_visible
}

/// Letters, marks on them, numbers, punctuation and symbols.
fn is_visible(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let visible = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Mark)
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    visible.contains(category) && !is_invisible(character) && character != BLANK_BRAILLE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_many_languages_are_names() {
        for name in [
            "Ana",
            "José Ñandú-O\u{2019}Brien, Jr.",
            "محمد رضا",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "李小龍",
            "עֲדִי",
            "x",
            "7",
            "\u{1f40e}",
            "\u{2764}\u{fe0f}",
            "\u{1f469}\u{200d}\u{1f33e}",
            "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
            "Jose\u{301}",
        ] {
            assert!(is_name(name), "{name:?}");
        }
    }

    #[test]
    fn what_shows_nothing_or_turns_its_neighbours_is_no_name() {
        for name in [
            "",
            " ",
            "\u{200b}",
            "\u{200d}",
            "\u{200d}\u{200d}",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{2800}",
            "\u{fe0f}",
            "\u{a0}",
            "\u{3000}",
            "Ana\u{202e}",
            "\u{2066}Ana\u{2069}",
            "Ana\u{200f}",
            "Ana\u{61c}",
            "A\u{ad}na",
            "\u{feff}Ana",
            "Ana\nBruno",
            "Ana\u{2028}",
            "Ana\u{2029}",
            "Ana\u{85}",
            "Ana\u{200d}",
            "\u{200c}Ana",
            "A\u{200d}\u{200d}na",
            "Ana\0",
            "Ana\u{1b}[31m",
            "Ana\u{e0041}",
            "Ana\u{e000}",
        ] {
            assert!(!is_name(name), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn both_spellings_are_one_text(text in "\\PC{0,20}") {
            let (composed, decomposed) = (nfc(&text).into_owned(), nfd(&text));
            prop_assert_eq!(&nfc(&decomposed), &composed);
            prop_assert_eq!(&nfc(&composed), &composed);
        }

        #[test]
        fn no_name_has_a_control_character_or_a_directional_one(text in any::<String>()) {
            if is_name(&text) {
                let is_bad = |character: char| {
                    let code = u32::from(character);
                    character.is_control() || (0x202a..=0x202e).contains(&code) || (0x2066..=0x2069).contains(&code)
                };
                prop_assert!(!text.contains(is_bad));
            }
        }

        #[test]
        fn what_is_added_to_a_name_of_letters_is_seen(name in "[a-zñé]{1,10}", at in 0_usize..10) {
            let at = name.char_indices().map(|(at, _)| at).nth(at).unwrap_or(name.len());
            for hidden in ['\u{200b}', '\u{202e}', '\u{2067}', '\u{feff}', '\n', '\u{7f}'] {
                let mut changed = name.clone();
                changed.insert(at, hidden);
                prop_assert!(is_name(&name) && !is_name(&changed));
            }
        }
    }
}
