//! Whether a file can be opened, without opening it as SQLite does: that would make files, and migrate it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::database::OpenError;
use super::schema::{APPLICATION_ID, MIGRATIONS};

/// The beginning of each SQLite file (<https://sqlite.org/fileformat.html>, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The length of a file's header.
const HEADER: u64 = 100;
/// Where the number of pages, the schema's version and the program's mark are in the header.
const PAGES: usize = 28;
const VERSION: usize = 60;
const APPLICATION: usize = 68;

/// Checks that the server could use the file, or make it, and says which. Nothing is written.
pub fn check(path: &Path) -> Result<String, OpenError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => return Err(at(path)(io::Error::other("is no file"))),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = nearest_folder(path);
            may_write(&folder).map_err(at(&folder))?;
            return Ok(format!("{} is not there yet, and can be made", path.display()));
        }
        Err(error) => return Err(at(path)(error)),
    }
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(at(path))?;
    // SQLite's log and its index are made beside the file.
    let folder = nearest_folder(path);
    may_write(&folder).map_err(at(&folder))?;
    let mut header = Vec::new();
    file.take(HEADER).read_to_end(&mut header).map_err(at(path))?;
    let (application, found) = (number(&header, APPLICATION), number(&header, VERSION));
    // A file without tables may be anybody's, and those of a new one may all be in the log still.
    let has_log = beside(path, "-wal").exists();
    let may_become_ours = header.is_empty()
        || (header.starts_with(MAGIC)
            && application == Some(0)
            && (number(&header, PAGES) == Some(1) || has_log));
    if application != Some(APPLICATION_ID) && !may_become_ours {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let known = u32::try_from(MIGRATIONS.len()).expect("there are few migrations");
    let found = found.unwrap_or(0);
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    let name = path.display();
    // While there is a log, the header may be older than the database.
    Ok(if is_in_use(path) {
        format!("{name}: in use by a server")
    } else if has_log {
        format!("{name}: as a server left it that did not end by itself")
    } else {
        format!("{name}: schema {found} of {known}")
    })
}

/// The number at `place` of a header that is long enough.
fn number(header: &[u8], place: usize) -> Option<u32> {
    header.get(place..place + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// The nearest folder above `path` that is there.
fn nearest_folder(path: &Path) -> PathBuf {
    let mut folders = path.ancestors().skip(1);
    let folder = folders.find(|folder| folder.as_os_str().is_empty() || folder.exists());
    folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Whether files can be made in the folder.
fn may_write(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
}

/// A file whose name is that of `path` and an ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether a process has the store. The lock is shared, and given back at once.
fn is_in_use(path: &Path) -> bool {
    File::open(beside(path, ".lock")).is_ok_and(|lock| lock.try_lock_shared().is_err())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::database::Database;
    use super::*;

    #[test]
    fn a_file_is_judged_without_a_change() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("made/chat.db");
        assert!(check(&path).unwrap().contains("is not there yet"));
        assert!(!folder.path().join("made").exists());

        let database = Database::open(&path).unwrap();
        assert!(check(&path).unwrap().ends_with("in use by a server"));
        drop(database);
        let files = || {
            let mut names: Vec<_> = fs::read_dir(path.parent().unwrap())
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            (names, fs::read(&path).unwrap())
        };
        let before = files();
        let known = MIGRATIONS.len();
        assert!(check(&path).unwrap().ends_with(&format!("schema {known} of {known}")));
        assert_eq!(files(), before);

        let change = |place: usize, bytes: [u8; 4]| {
            let mut content = before.1.clone();
            content[place..place + 4].copy_from_slice(&bytes);
            fs::write(&path, content).unwrap();
            check(&path)
        };
        assert!(matches!(change(VERSION, 9999_u32.to_be_bytes()), Err(OpenError::Newer { found: 9999, .. })));
        assert!(matches!(change(APPLICATION, *b"Othr"), Err(OpenError::Foreign(_))));
        assert!(matches!(change(APPLICATION, [0; 4]), Err(OpenError::Foreign(_))));
        fs::write(&path, "this is no database").unwrap();
        assert!(matches!(check(&path), Err(OpenError::Foreign(_))));
        fs::write(&path, "").unwrap();
        check(&path).unwrap();
        assert!(matches!(check(folder.path()), Err(OpenError::Io { .. })));
        assert!(matches!(check(&path.join("x.db")), Err(OpenError::Io { .. })));
    }
}
