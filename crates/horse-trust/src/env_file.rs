//! The `.env` file, read as Node's `dotenv` reads it, so that the file of the application that this replaces
//! serves here: values may hold spaces, and `$` stands for itself.

use std::collections::HashMap;
use std::io;
use std::path::Path;

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// The system says no, or the text is not UTF-8.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// A line is not `NAME=VALUE`. Its text may be a secret, so the error has its number only.
    #[error("line {0} is not NAME=VALUE")]
    Line(usize),
    /// A value begins with a quote that no other ends.
    #[error("line {0} begins a quoted value that does not end")]
    Quote(usize),
}

/// The settings in the file at `path`; none if there is no file.
pub fn read(path: &Path) -> Result<HashMap<String, String>, EnvFileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(error) => Err(error.into()),
    }
}

fn parse(text: &str) -> Result<HashMap<String, String>, EnvFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Also within values, as `dotenv` does.
    let text = &*text.replace("\r\n", "\n").replace('\r', "\n");
    let mut values = HashMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
        if let Some(comment) = rest.strip_prefix('#') {
            rest = after_line(comment).trim_start();
            continue;
        }
        let (name, value) = assignment(rest).ok_or(EnvFileError::Line(line))?;
        let (value, after) = match value.chars().next() {
            Some(quote @ ('\'' | '"' | '`')) => {
                quoted(&value[1..], quote).ok_or(EnvFileError::Quote(line))?
            }
            _ => {
                let end = value.find(['#', '\n']).unwrap_or(value.len());
                (value[..end].trim_end().to_owned(), &value[end..])
            }
        };
        let (behind, _) = after.split_once('\n').unwrap_or((after, ""));
        if !(behind.trim().is_empty() || behind.trim_start().starts_with('#')) {
            return Err(EnvFileError::Line(line));
        }
        values.insert(name.to_owned(), value);
        rest = after_line(after).trim_start();
    }
    Ok(values)
}

/// `NAME=` or `export NAME=`: the name, and what follows, without the spaces between.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let text = exported.unwrap_or(text).trim_start_matches([' ', '\t']);
    let is_name = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    let end = text.find(|character| !is_name(character)).filter(|end| *end > 0)?;
    let (name, rest) = text.split_at(end);
    let value = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    Some((name, value.trim_start_matches([' ', '\t'])))
}

/// The value up to its closing quote, which a backslash hides, and what follows. Only between double quotes
/// do `\n` and `\r` stand for line breaks; any other backslash stays.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut previous = '\0';
    let end = text.char_indices().find_map(|(index, character)| {
        let is_end = character == quote && previous != '\\';
        previous = character;
        is_end.then_some(index)
    })?;
    let value = &text[..end];
    let value = if quote == '"' { value.replace("\\n", "\n").replace("\\r", "\r") } else { value.to_owned() };
    Some((value, &text[end + 1..]))
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_what_dotenv_makes_of_them() {
        for (line, value) in [
            ("A=b", "b"),
            ("  export A = b c  # why", "b c"),
            ("A=pa$$word", "pa$$word"),
            ("A=", ""),
            ("A=a=b", "a=b"),
            ("A='b # c'", "b # c"),
            ("A=\"b\\nc\" # why", "b\nc"),
            ("A='b\\nc'", "b\\nc"),
            ("A=`it's \"so\"`", "it's \"so\""),
            ("A='two\nlines'", "two\nlines"),
            ("A=b\r", "b"),
            ("A='two\r\nlines'\r", "two\nlines"),
            ("export\tA=b", "b"),
            ("exportA=c\nA=b", "b"),
            ("A=é", "é"),
            ("\u{feff}A=b", "b"),
        ] {
            let values = parse(&format!("{line}\n# A=comment\n\nB=last")).unwrap();
            assert_eq!(values.get("A").map(String::as_str), Some(value), "{line}");
            assert_eq!(values["B"], "last", "{line}");
        }
        assert_eq!(parse("A=1\nA=2").unwrap()["A"], "2");
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_can_not_be_read_is_named_by_its_line_without_its_text() {
        for (text, message) in [
            ("A=1\n\nhush", "line 3 is not NAME=VALUE"),
            ("=hush", "line 1 is not NAME=VALUE"),
            ("A B=hush", "line 1 is not NAME=VALUE"),
            ("A='x' hush", "line 1 is not NAME=VALUE"),
            ("B=1\nA='hush\n", "line 2 begins a quoted value that does not end"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn no_file_is_no_settings() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(&folder.path().join(".env")).unwrap().is_empty());
        assert!(read(folder.path()).is_err());
    }

    /// A value as somebody writes it who knows the rules; `None` if it can't be written.
    fn written(value: &str, quote: Option<char>) -> Option<String> {
        let is_plain = !value.contains(['#', '\n', '\r'])
            && !value.starts_with(['\'', '"', '`'])
            && value.trim() == value;
        match quote {
            None => is_plain.then(|| value.to_owned()),
            Some('"') if value.contains('\\') => None,
            Some(quote) => (!value.contains([quote, '\r']) && !value.ends_with('\\'))
                .then(|| format!("{quote}{value}{quote}")),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            values in prop::collection::vec(("[ -~é\n\\\\#'\"`=$]{0,12}", prop::option::of(prop::sample::select(vec!['\'', '"', '`'])), 0..6_u8), 0..8),
            ends_lines in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        ) {
            let mut text = String::new();
            let mut expected = HashMap::new();
            for (index, (value, quote, form)) in values.into_iter().enumerate() {
                let Some(written) = written(&value, quote) else { continue };
                let name = format!("NAME_{index}");
                let assignment = match form {
                    0 => format!("export {name}={written}"),
                    1 => format!("  {name} = {written} # comment"),
                    2 => format!("# {name}=no\n\n{name}={written}"),
                    _ => format!("{name}={written}"),
                };
                text.push_str(&assignment);
                text.push('\n');
                expected.insert(name, value);
            }
            prop_assert_eq!(parse(&text.replace('\n', ends_lines)).unwrap(), expected, "{:?}", text);
        }

        #[test]
        fn any_text_is_answered(text in "[A-Z='\"`# \r\n\\\\é-]{0,40}|\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
