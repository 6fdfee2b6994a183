//! Brings in what `mongoexport` wrote of the application that this replaces. One transaction a file: a bad
//! record leaves nothing of its file, and what is there already is passed over.

mod documents;
mod extended_json;
mod records;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use self::documents::Documents;
use self::extended_json::FieldError;
use crate::store::sqlite::{Database, OpenError, Staged, Transaction};

/// The files to bring in, in this order.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The collection `users`.
    pub users: Option<PathBuf>,
    /// The collection `conversations`.
    pub conversations: Option<PathBuf>,
    /// The collection `messages`; their conversations have to be there.
    pub messages: Option<PathBuf>,
}

/// What became of a file's records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub imported: u64,
    /// Those that were there before.
    pub known: u64,
}

/// Why an import stopped. One line that names the file, and where it can the line and the field.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record is not what it should be.
    #[error("{}:{line}: {message}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The line on which the record begins.
        line: u64,
        /// The field and what is wrong with it, or what is wrong with the record.
        message: String,
    },
    /// The store could not be written to.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file that was being brought in.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Adds one record to a transaction; a field that is wrong, or the store's own error.
type AddRecord = fn(&Transaction<'_>, &Value) -> Result<Result<Staged, FieldError>, rusqlite::Error>;

/// Brings the files into the store at `database`. Answers each collection with its counts.
pub fn run(options: &ImportOptions, database: &Path) -> Result<Vec<(&'static str, Counts)>, ImportError> {
    let mut database = Database::open(database)?;
    let files: [(&'static str, &Option<PathBuf>, AddRecord); 3] = [
        ("users", &options.users, |transaction, record| match records::user(record) {
            Ok(user) => transaction.user(&user).map(Ok),
            Err(error) => Ok(Err(error)),
        }),
        ("conversations", &options.conversations, |transaction, record| {
            match records::conversation(record) {
                Ok(conversation) => transaction.conversation(&conversation).map(Ok),
                Err(error) => Ok(Err(error)),
            }
        }),
        ("messages", &options.messages, |transaction, record| match records::message(record) {
            Ok(message) => transaction.message(&message).map(Ok),
            Err(error) => Ok(Err(error)),
        }),
    ];
    let mut report = Vec::new();
    for (name, path, add) in files {
        if let Some(path) = path {
            report.push((name, import_file(&mut database, name, path, add)?));
        }
    }
    Ok(report)
}

fn import_file(
    database: &mut Database,
    name: &'static str,
    path: &Path,
    add: AddRecord,
) -> Result<Counts, ImportError> {
    let read_error = |source| ImportError::Read { path: path.to_owned(), source };
    let store_error = |source| ImportError::Store { path: path.to_owned(), source };
    let file = File::open(path).map_err(read_error)?;
    let length = file.metadata().map_err(read_error)?.len();
    let progress = progress_bar(name, length);
    let mut documents = Documents::new(BufReader::with_capacity(1 << 20, progress.wrap_read(file)));
    let mut counts = Counts::default();
    let transaction = database.transaction().map_err(store_error)?;
    while let Some((line, text)) = documents.next().map_err(read_error)? {
        let record_error = |message: String| ImportError::Record { path: path.to_owned(), line, message };
        let text = text.map_err(|problem| record_error(problem.to_owned()))?;
        let record: Value = serde_json::from_slice(text)
            .map_err(|error| record_error(format!("not JSON: {}", without_position(&error))))?;
        if !record.is_object() {
            return Err(record_error("not a JSON object".to_owned()));
        }
        match add(&transaction, &record).map_err(store_error)? {
            Ok(Staged::Added) => counts.imported += 1,
            Ok(Staged::Known) => counts.known += 1,
            Ok(Staged::Refused(field, problem)) => return Err(record_error(format!("{field}: {problem}"))),
            Err(FieldError { field, problem }) => return Err(record_error(format!("{field}: {problem}"))),
        }
    }
    progress.set_message("sorting and committing");
    transaction.commit().map_err(store_error)?;
    progress.finish_and_clear();
    Ok(counts)
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
