//! Cuts a file of `mongoexport` into its records, one at a time: JSON lines, or one array.

use std::io::{self, BufRead};

/// The longest record: MongoDB's own bound for a document.
const MAX_RECORD: usize = 16 * 1024 * 1024;

/// The records of a file.
pub(super) struct Documents<R> {
    reader: R,
    /// `None` until the first byte says what the file is.
    is_array: Option<bool>,
    record: Vec<u8>,
    /// The line that is read next, from 1.
    line: u64,
}

/// A record and the line on which it begins; or what is wrong there.
pub(super) type Document<'a> = (u64, Result<&'a [u8], &'static str>);

impl<R: BufRead> Documents<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, is_array: None, record: Vec::new(), line: 1 }
    }

    /// The next record, `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Document<'_>>> {
        let is_array = match self.is_array {
            Some(is_array) => is_array,
            None => {
                let is_array = self.begin()?;
                *self.is_array.insert(is_array)
            }
        };
        if is_array { self.next_element() } else { self.next_line() }
    }

    /// Passes over a byte order mark and white space; whether an array begins.
    fn begin(&mut self) -> io::Result<bool> {
        if self.reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            self.reader.consume(3);
        }
        let is_array = self.skip(|byte| byte.is_ascii_whitespace())? == Some(b'[');
        if is_array {
            self.reader.consume(1);
        }
        Ok(is_array)
    }

    /// Passes over bytes, counting lines; answers the first other byte, which is not consumed.
    fn skip(&mut self, is_skipped: impl Fn(u8) -> bool) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let Some(first) = buffer.first().copied() else { return Ok(None) };
            if !is_skipped(first) {
                return Ok(Some(first));
            }
            self.line += u64::from(first == b'\n');
            self.reader.consume(1);
        }
    }

    fn next_line(&mut self) -> io::Result<Option<Document<'_>>> {
        loop {
            let line = self.line;
            self.record.clear();
            let mut limited = io::Read::take(&mut self.reader, MAX_RECORD as u64 + 1);
            if limited.read_until(b'\n', &mut self.record)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.record.len() > MAX_RECORD {
                return Ok(Some((line, Err("a record of more than 16 MiB"))));
            }
            if !self.record.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some((line, Ok(self.record.trim_ascii()))));
            }
        }
    }

    fn next_element(&mut self) -> io::Result<Option<Document<'_>>> {
        let first = self.skip(|byte| byte.is_ascii_whitespace() || byte == b',')?;
        let line = self.line;
        match first {
            Some(b'{') => {}
            Some(b']') => {
                self.reader.consume(1);
                let rest = self.skip(|byte| byte.is_ascii_whitespace())?;
                return Ok(rest.map(|_| (self.line, Err("something after the end of the array"))));
            }
            Some(_) => return Ok(Some((line, Err("not a JSON object")))),
            None => return Ok(Some((line, Err("the array does not end")))),
        }
        self.record.clear();
        let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(Some((line, Err("the record does not end"))));
            }
            let mut used = 0;
            let mut is_done = false;
            for byte in buffer {
                used += 1;
                self.line += u64::from(*byte == b'\n');
                if in_text {
                    in_text = is_escaped || *byte != b'"';
                    is_escaped = !is_escaped && *byte == b'\\';
                    continue;
                }
                match byte {
                    b'"' => in_text = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    is_done = true;
                    break;
                }
            }
            self.record.extend_from_slice(&buffer[..used]);
            self.reader.consume(used);
            if self.record.len() > MAX_RECORD {
                return Ok(Some((line, Err("a record of more than 16 MiB"))));
            }
            if is_done {
                return Ok(Some((line, Ok(&self.record))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Every record and problem with its line, read through a buffer of `capacity`.
    fn all(text: &str, capacity: usize) -> Vec<(u64, Result<String, &'static str>)> {
        let mut documents = Documents::new(BufReader::with_capacity(capacity, text.as_bytes()));
        let mut found = Vec::new();
        while let Some((line, record)) = documents.next().unwrap() {
            let record = record.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
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
    fn lines_and_arrays_are_cut_alike() {
        for capacity in [1, 2, 7, 1000] {
            assert_eq!(
                all("{\"a\":1}\n\n {\"b\":2}\r\nnonsense", capacity),
                [ok(1, "{\"a\":1}"), ok(3, "{\"b\":2}"), ok(4, "nonsense")]
            );
            assert_eq!(
                all("\u{feff}\n [{\"a\":\"}\\\"]\"},\n{\"b\":[{}]}\n]\n", capacity.max(3)),
                [ok(2, "{\"a\":\"}\\\"]\"}"), ok(3, "{\"b\":[{}]}")]
            );
            assert_eq!(all("[]", capacity), []);
            assert_eq!(all("", capacity), []);
        }
    }

    #[test]
    fn broken_arrays_are_named_by_line() {
        assert_eq!(all("[{},\n{\"a\":", 9), [ok(1, "{}"), (2, Err("the record does not end"))]);
        assert_eq!(all("[{},\n", 9), [ok(1, "{}"), (2, Err("the array does not end"))]);
        assert_eq!(all("[{}]\n{}", 9), [ok(1, "{}"), (2, Err("something after the end of the array"))]);
        assert_eq!(all("[1]", 9), [(1, Err("not a JSON object"))]);
    }

    #[test]
    fn a_record_without_end_is_not_held() {
        let long = "x".repeat(MAX_RECORD + 10);
        assert_eq!(all(&long, 4096), [(1, Err("a record of more than 16 MiB"))]);
        assert_eq!(all(&format!("[{{\"{long}\"}}]"), 4096), [(1, Err("a record of more than 16 MiB"))]);
    }
}
