//! Cuts a file of `mongoexport` into its records, one at a time: a stream of JSON objects between which any white
//! space may stand (a line each, or with `--pretty` over several lines), or one array of them (`--jsonArray`).

use std::io::{self, BufRead};

/// The longest record. MongoDB's own bound is 16 MiB of BSON, which as canonical Extended JSON over several lines is a few
/// times as long.
const MAX_RECORD: usize = 64 * 1024 * 1024;

/// The records of a file.
pub(super) struct Documents<R> {
    reader: R,
    place: Place,
    record: Vec<u8>,
    /// The line that is read next, from 1.
    line: u64,
}

/// Where in the file the reader is.
#[derive(Clone, Copy)]
enum Place {
    /// Before everything: what the file is, is not known yet.
    Start,
    /// Between the records of a stream.
    Stream,
    /// In an array, where a record may come: at its beginning, or behind a comma.
    Element,
    /// In an array, behind a record.
    BehindElement,
}

/// A record and the line on which it begins; or what is wrong there.
pub(super) type Document<'a> = (u64, Result<&'a [u8], &'static str>);

impl<R: BufRead> Documents<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, place: Place::Start, record: Vec::new(), line: 1 }
    }

    /// The next record, `None` at the end. Nothing is to be asked for behind a problem.
    pub(super) fn next(&mut self) -> io::Result<Option<Document<'_>>> {
        if matches!(self.place, Place::Start)
            && let Some(problem) = self.begin()?
        {
            return Ok(Some((self.line, Err(problem))));
        }
        loop {
            let next = self.skip_white_space()?;
            let is_in_array = !matches!(self.place, Place::Stream);
            let problem = match (next, self.place) {
                (None, Place::Stream) => return Ok(None),
                (None, _) => "the array does not end",
                (Some(b'{'), Place::Stream | Place::Element) => {
                    if is_in_array {
                        self.place = Place::BehindElement;
                    }
                    return self.record().map(Some);
                }
                (Some(b'{'), _) => "a comma is missing before this record",
                (Some(b','), Place::BehindElement) => {
                    self.reader.consume(1);
                    self.place = Place::Element;
                    continue;
                }
                (Some(b']'), _) if is_in_array => {
                    self.reader.consume(1);
                    let rest = self.skip_white_space()?;
                    self.place = Place::Stream;
                    return Ok(rest.map(|_| (self.line, Err("something after the end of the array"))));
                }
                (Some(_), _) => "not a JSON object",
            };
            return Ok(Some((self.line, Err(problem))));
        }
    }

    /// Passes over a byte order mark, and looks whether an array begins; or says what the file is instead.
    fn begin(&mut self) -> io::Result<Option<&'static str>> {
        let start = self.reader.fill_buf()?;
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Ok(Some("the file is UTF-16, as some shells write it; UTF-8 is needed"));
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            self.reader.consume(3);
        }
        self.place = Place::Stream;
        if self.skip_white_space()? == Some(b'[') {
            self.reader.consume(1);
            self.place = Place::Element;
        }
        Ok(None)
    }

    /// Passes over white space, counting lines; answers the first other byte, which is not consumed.
    fn skip_white_space(&mut self) -> io::Result<Option<u8>> {
        loop {
            let Some(first) = self.reader.fill_buf()?.first().copied() else { return Ok(None) };
            if !first.is_ascii_whitespace() {
                return Ok(Some(first));
            }
            self.line += u64::from(first == b'\n');
            self.reader.consume(1);
        }
    }

    /// Reads the object that begins here, to its closing brace. What is within is not looked at, but for two mistakes
    /// that would make the records behind it a part of it.
    fn record(&mut self) -> io::Result<Document<'_>> {
        let line = self.line;
        self.record.clear();
        let mut end = End::default();
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok((line, Err("not JSON: the record does not end")));
            }
            let mut used = 0;
            let mut found = Step::Inside;
            while used < buffer.len() && matches!(found, Step::Inside) {
                found = end.step(buffer[used]);
                self.line += u64::from(buffer[used] == b'\n');
                used += 1;
            }
            self.record.extend_from_slice(&buffer[..used]);
            self.reader.consume(used);
            if self.record.len() > MAX_RECORD {
                return Ok((line, Err("a record of more than 64 MiB")));
            }
            match found {
                Step::Inside => {}
                Step::Done => return Ok((line, Ok(&self.record))),
                Step::Wrong(problem) => return Ok((line, Err(problem))),
            }
        }
    }
}

/// Looks for the brace that closes an object.
#[derive(Default)]
struct End {
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
    /// Whether the last byte that is no white space closed an object or an array.
    is_behind_value: bool,
}

enum Step {
    Inside,
    Done,
    Wrong(&'static str),
}

impl End {
    fn step(&mut self, byte: u8) -> Step {
        if self.is_in_text {
            if byte == b'\n' {
                return Step::Wrong("not JSON: a text that does not end in its line");
            }
            self.is_in_text = self.is_escaped || byte != b'"';
            self.is_escaped = !self.is_escaped && byte == b'\\';
            return Step::Inside;
        }
        match byte {
            b'"' => self.is_in_text = true,
            b'{' if self.is_behind_value => return Step::Wrong("not JSON: the record does not end"),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.is_behind_value = matches!(byte, b'}' | b']');
        }
        if self.depth == 0 { Step::Done } else { Step::Inside }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    /// Every record and problem with its line, read through a buffer of `capacity`.
    fn all(text: impl AsRef<[u8]>, capacity: usize) -> Vec<(u64, Result<String, &'static str>)> {
        let mut documents = Documents::new(BufReader::with_capacity(capacity, text.as_ref()));
        let mut found = Vec::new();
        while let Some((line, record)) = documents.next().unwrap() {
            let record = record.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let is_problem = record.is_err();
            found.push((line, record));
            if is_problem {
                break;
            }
        }
        found
    }

    fn ok(line: u64, text: &str) -> (u64, Result<String, &'static str>) {
        (line, Ok(text.to_owned()))
    }

    #[test]
    fn lines_arrays_and_pretty_records_are_cut_alike() {
        for capacity in [1, 2, 7, 1000] {
            assert_eq!(
                all("{\"a\":1}\n\n {\"b\":2}\r\nnonsense", capacity),
                [ok(1, "{\"a\":1}"), ok(3, "{\"b\":2}"), (4, Err("not a JSON object"))]
            );
            assert_eq!(
                all("\u{feff}\n [{\"a\":\"}\\\"]\"},\n{\"b\":[{}]}\n]\n", capacity.max(3)),
                [ok(2, "{\"a\":\"}\\\"]\"}"), ok(3, "{\"b\":[{}]}")]
            );
            assert_eq!(
                all(
                    "\u{feff}{\r\n\t\"a\": [\r\n\t\t1\r\n\t]\r\n}\r\n{\r\n\t\"b\": {}\r\n}{}",
                    capacity.max(3)
                ),
                [ok(1, "{\r\n\t\"a\": [\r\n\t\t1\r\n\t]\r\n}"), ok(6, "{\r\n\t\"b\": {}\r\n}"), ok(8, "{}")]
            );
            assert_eq!(all("[{\n\"a\": 1\n},\n{\n}]", capacity), [ok(1, "{\n\"a\": 1\n}"), ok(4, "{\n}")]);
            assert_eq!(all("[{},]", capacity), [ok(1, "{}")]);
            assert_eq!(all("[]", capacity), []);
            assert_eq!(all(" \n", capacity), []);
            assert_eq!(all("", capacity), []);
        }
    }

    #[test]
    fn what_is_broken_is_named_by_line() {
        let endless = "not JSON: the record does not end";
        for (text, line, problem) in [
            ("[{},\n{\"a\":", 2, endless),
            ("{\n}\n{\n\"a\":", 3, endless),
            ("{\"a\":{\"b\":1}\n{\"a\":{\"b\":1}}\n", 1, endless),
            ("{\"a\":\"b}\n{\"a\":\"b\"}\n", 1, "not JSON: a text that does not end in its line"),
            ("[{},\n", 2, "the array does not end"),
            ("[{}]\n{}", 2, "something after the end of the array"),
            ("[{}]\n[{}]", 2, "something after the end of the array"),
            ("[1]", 1, "not a JSON object"),
            ("[{},\n,{}]", 2, "not a JSON object"),
            ("[,{}]", 1, "not a JSON object"),
            ("[{}\n{}]", 2, "a comma is missing before this record"),
            ("{}\n,{}", 2, "not a JSON object"),
            ("{}\n]", 2, "not a JSON object"),
            ("7", 1, "not a JSON object"),
        ] {
            assert_eq!(all(text, 9).last(), Some(&(line, Err(problem))), "{text}");
        }
        assert!(all(b"\xff\xfe{\0}\0", 9)[0].1.as_ref().unwrap_err().contains("UTF-16"));
    }

    #[test]
    fn a_record_without_end_is_not_held() {
        let long = "x".repeat(MAX_RECORD + 10);
        assert_eq!(all(format!("{{\"{long}\"}}"), 1 << 20), [(1, Err("a record of more than 64 MiB"))]);
    }

    /// An object as some program writes it: on one line or over several.
    fn written(value: &serde_json::Value, is_pretty: bool) -> String {
        if is_pretty { format!("{value:#}") } else { value.to_string() }
    }

    proptest! {
        #[test]
        fn however_records_are_written_they_are_found(
            texts in prop::collection::vec(("[\\[\\]{}\",:\\\\a\n]{0,6}", any::<bool>(), "[ \t\r\n]{1,4}"), 0..6),
            is_array in any::<bool>(),
            capacity in 3_usize..40,
        ) {
            let records: Vec<String> = texts
                .iter()
                .map(|(text, is_pretty, _)| written(&serde_json::json!({text: [{}, [text]], "b": {"c": {}}}), *is_pretty))
                .collect();
            let mut file = String::from(if is_array { "\u{feff}[" } else { "" });
            let mut lines = Vec::new();
            for (index, (record, (_, _, space))) in records.iter().zip(&texts).enumerate() {
                if is_array && index > 0 {
                    file.push(',');
                }
                file.push_str(space);
                lines.push(1 + file.matches('\n').count() as u64);
                file.push_str(record);
            }
            file.push_str(if is_array { "]\n" } else { "\n" });
            let expected: Vec<_> = lines.into_iter().zip(records).map(|(line, record)| (line, Ok(record))).collect();
            prop_assert_eq!(all(&file, capacity), expected);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"[]{},\"\\ \n"[..])], 0..60), capacity in 1_usize..9) {
            let _ = all(bytes, capacity);
        }
    }
}
