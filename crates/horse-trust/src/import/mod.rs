//! Imports collections that `mongoexport` wrote from the application that this server replaces. Each file is one
//! transaction: a bad record rolls its file back, and records that exist already are skipped.

mod documents;
mod extended_json;
mod field_error;
mod record;
mod records;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use self::documents::Documents;
use self::field_error::FieldError;
use self::record::Record;
use self::records::Dated;
use crate::store::{ImportFile, ImportTarget, Staged, StoreError};
use crate::timestamp::Timestamp;

/// The files to import, in this order.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The collection `users`.
    pub users: Option<PathBuf>,
    /// The collection `conversations`.
    pub conversations: Option<PathBuf>,
    /// The collection `messages`; its conversations must exist.
    pub messages: Option<PathBuf>,
}

/// The result of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New records.
    pub imported: u64,
    /// Records that existed before.
    pub known: u64,
    /// Dates of new records that lay in the future and were set to the time of the import.
    pub brought_back: u64,
}

/// Why an import stopped. One line that names the file, and where it can the line and the field.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record is invalid.
    #[error("{}:{line}: {message}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line on which the record begins.
        line: u64,
        /// The problem, with the name of the field if it is one field's.
        message: String,
    },
    /// The store could not be written to.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file that was being imported.
        path: PathBuf,
        /// Why.
        source: StoreError,
    },
}

/// How many records, or bytes of them, the store gets at once.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;

/// Imports the files into a store. Returns each collection's name and counts.
///
/// A date in the future comes from a wrong clock. It becomes the time of this call; messages keep the order of their
/// dates.
pub fn run(
    options: &ImportOptions,
    target: &mut dyn ImportTarget,
) -> Result<Vec<(&'static str, Counts)>, ImportError> {
    let now = Timestamp::now();
    let mut report = Vec::new();
    if let Some(path) = &options.users {
        let counts = import_file(target, "users", path, now, records::user, |file, users| file.users(users));
        report.push(("users", counts?));
    }
    if let Some(path) = &options.conversations {
        let counts =
            import_file(target, "conversations", path, now, records::conversation, |file, conversations| {
                file.conversations(conversations)
            });
        report.push(("conversations", counts?));
    }
    if let Some(path) = &options.messages {
        let counts = import_file(target, "messages", path, now, records::message, |file, messages| {
            file.messages(messages)
        });
        report.push(("messages", counts?));
    }
    Ok(report)
}

fn import_file<T: Dated>(
    target: &mut dyn ImportTarget,
    name: &'static str,
    path: &Path,
    now: Timestamp,
    read: impl Fn(&Record<'_>) -> Result<T, FieldError>,
    add: impl Fn(&mut dyn ImportFile, &[T]) -> Result<Vec<Staged>, StoreError>,
) -> Result<Counts, ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let store_error = |source| ImportError::Store { path: path.to_owned(), source };
    let record_error = |line, message| ImportError::Record { path: path.to_owned(), line, message };
    let file = File::open(path).map_err(read_error)?;
    let length = file.metadata().map_err(read_error)?.len();
    let progress = progress_bar(name, length);
    let mut documents = Documents::new(BufReader::with_capacity(1 << 20, progress.wrap_read(file)));
    let mut counts = Counts::default();
    let mut stored = target.begin().map_err(store_error)?;
    let mut flush = |stored: &mut dyn ImportFile, batch: &mut Batch<T>| {
        let outcomes = add(stored, &batch.records).map_err(store_error)?;
        for ((line, brought_back), outcome) in batch.places.iter().zip(outcomes) {
            match outcome {
                Staged::Added => {
                    counts.imported += 1;
                    counts.brought_back += brought_back;
                }
                Staged::Known => counts.known += 1,
                Staged::Refused(field, problem) => {
                    return Err(record_error(*line, format!("{field}: {problem}")));
                }
            }
        }
        *batch = Batch::new();
        Ok(())
    };
    let mut batch = Batch::new();
    while let Some((line, text)) = documents.next().map_err(read_error)? {
        let bytes = text.map_or(0, <[u8]>::len);
        match text.map_err(str::to_owned).and_then(|text| parse(text, &read)) {
            Ok(mut record) => {
                let brought_back = record.bring_back(now);
                batch.push(line, brought_back, record, bytes);
            }
            Err(message) => {
                // What is wrong before it is named first.
                flush(&mut *stored, &mut batch)?;
                return Err(record_error(line, message));
            }
        }
        if batch.is_full() {
            flush(&mut *stored, &mut batch)?;
        }
    }
    flush(&mut *stored, &mut batch)?;
    progress.set_message("sorting and committing");
    stored.commit().map_err(store_error)?;
    progress.finish_and_clear();
    Ok(counts)
}

/// Records that are not with the store yet.
struct Batch<T> {
    /// The line of each, and how many of its dates were brought back.
    places: Vec<(u64, u64)>,
    records: Vec<T>,
    bytes: usize,
}

impl<T> Batch<T> {
    fn new() -> Self {
        Self { places: Vec::new(), records: Vec::new(), bytes: 0 }
    }

    fn push(&mut self, line: u64, brought_back: u64, record: T, bytes: usize) {
        self.places.push((line, brought_back));
        self.records.push(record);
        self.bytes += bytes;
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH || self.bytes >= BATCH_BYTES
    }
}

/// Reads a record; or says what is wrong with it.
fn parse<T>(json: &[u8], read: impl Fn(&Record<'_>) -> Result<T, FieldError>) -> Result<T, String> {
    let converted;
    let record = match Record::parse(json, records::FIELDS, "") {
        Ok(record) => record,
        Err(error) => {
            converted = record::as_json(json);
            Record::parse(&converted, records::FIELDS, "")
                .map_err(|_| format!("not JSON: {}", without_position(&error)))?
        }
    };
    read(&record).map_err(|FieldError { field, problem }| format!("{field}: {problem}"))
}

/// `serde_json`'s message without its position, which is within the record.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// A bar on a terminal; elsewhere nothing is drawn.
fn progress_bar(name: &'static str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:14} {bar:40} {bytes}/{total_bytes} {eta} {msg}");
    let bar = ProgressBar::new(length).with_prefix(name);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
