//! A folder with files of `mongoexport`, and a store that they go into.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use horse_trust::import::{Counts, ImportOptions, run};
use horse_trust::store::postgres::{PostgresImport, PostgresStore};
use horse_trust::store::sqlite::Database;
use horse_trust::store::{ImportTarget, Store};
use tempfile::TempDir;

use crate::fixture::store;

/// A folder with files, and a store.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) store: store::Place,
}

impl Place {
    pub(crate) async fn new(engine: &str) -> Self {
        Self { folder: TempDir::new().unwrap(), store: store::Place::new(engine).await }
    }

    /// Where the PostgreSQL is, if it is one.
    pub(crate) fn postgresql(&self) -> Option<&str> {
        match &self.store {
            store::Place::Folder(_) => None,
            store::Place::Database(url) => Some(url),
        }
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn import(
        &self,
        options: &ImportOptions,
    ) -> Result<Vec<(&'static str, Counts)>, Box<dyn Error + Send + Sync>> {
        let import = || {
            let mut target: Box<dyn ImportTarget> = match &self.store {
                store::Place::Folder(folder) => {
                    Box::new(Database::open(&folder.path().join("data/chat.db"))?)
                }
                store::Place::Database(url) => Box::new(PostgresImport::open(url)?),
            };
            Ok(run(options, &mut *target)?)
        };
        // It blocks, which is nothing for a thread of the runtime.
        std::thread::scope(|scope| scope.spawn(import).join().unwrap())
    }

    /// Imports the files, which have to be right; answers how many were imported and known in each.
    pub(crate) fn import_all(&self, users: &str, conversations: &str, messages: &str) -> Vec<(u64, u64)> {
        let options = ImportOptions {
            users: Some(self.file("users.json", users)),
            conversations: Some(self.file("conversations.json", conversations)),
            messages: Some(self.file("messages.json", messages)),
        };
        let report = self.import(&options).unwrap();
        report.into_iter().map(|(_, counts)| (counts.imported, counts.known)).collect()
    }

    /// Imports a file that has to be refused; answers the message, without the folder.
    pub(crate) fn refusal(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = Some(self.file(name, content));
        let mut options = ImportOptions::default();
        match name {
            "users.json" => options.users = path,
            "conversations.json" => options.conversations = path,
            _ => options.messages = path,
        }
        let message = self.import(&options).unwrap_err().to_string();
        let folder = format!("{}/", self.folder.path().display());
        message.strip_prefix(&folder).expect("the file is named").to_owned()
    }

    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        let Some(url) = self.postgresql() else { return self.store.open().await };
        let store = PostgresStore::open(url).await.unwrap();
        assert!(store.register(true).await.unwrap());
        Arc::new(store)
    }
}
