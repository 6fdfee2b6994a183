//! The file: opened, locked and migrated.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::schema::{self, SchemaError};

/// Permissions of files made here: what people write to each other is for the server's user alone.
const PRIVATE_FILE: u32 = 0o600;
/// Permissions of folders made here.
const PRIVATE_FOLDER: u32 = 0o700;

/// Why a store can't be opened. One line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the lock file can't be made.
    #[error("{}: {source}", path.display())]
    Io {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has the store.
    #[error("{}: in use by another process", .0.display())]
    InUse(PathBuf),
    /// SQLite does not take the file.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file is an SQLite database of another program.
    #[error("{}: a database of another program", .0.display())]
    Foreign(PathBuf),
    /// The file was written by a newer version of this program.
    #[error("{}: made by a newer version (schema {found}, this program knows {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that is known here.
        known: u32,
    },
}

/// An open database file that no other process has, before threads are started on it.
pub struct Database {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) lock: File,
}

impl Database {
    /// Opens the file, makes it and its folder if there is none, takes the lock and migrates the schema.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let io_error = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(PRIVATE_FOLDER).create(folder).map_err(io_error(folder))?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let lock = open_private(&lock_path).map_err(io_error(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io_error(&lock_path)(source)),
        }
        // SQLite would make the file readable for all. Its log and index files get the permissions of the file.
        open_private(path).map_err(io_error(path))?;
        let sqlite_error = |source| OpenError::Sqlite { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(sqlite_error)?;
        schema::prepare(&mut connection).map_err(|error| match error {
            SchemaError::Sqlite(source) => sqlite_error(source),
            SchemaError::Foreign => OpenError::Foreign(path.to_owned()),
            SchemaError::Newer { found, known } => OpenError::Newer { path: path.to_owned(), found, known },
        })?;
        Ok(Self { path: path.to_owned(), connection, lock })
    }
}

/// Opens a file for writing. One that does not exist is made for the server's user alone; one that does keeps its
/// permissions.
fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE_FILE).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn files_and_folders_made_here_are_private() {
        let parent = TempDir::new().unwrap();
        std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let folder = parent.path().join("made/here");
        let database = Database::open(&folder.join("chat.db")).unwrap();
        database.connection.execute_batch("BEGIN IMMEDIATE; PRAGMA user_version = 7; COMMIT").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        for made in [folder.clone(), parent.path().join("made")] {
            assert_eq!(mode(&made), 0o700, "{}", made.display());
        }
        let mut names = Vec::new();
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
        names.sort();
        assert_eq!(names, ["chat.db", "chat.db-shm", "chat.db-wal", "chat.db.lock"]);
        assert_eq!(mode(parent.path()), 0o755, "a folder that was there keeps its permissions");
    }
}
