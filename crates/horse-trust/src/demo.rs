//! The demo: two accounts with a conversation.

use std::fmt::Write as _;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::auth::{Lane, Passwords, Turn};
use crate::id::Id;
use crate::store::{Conversation, NewConversation, Profile, Role, Store, StoreError, User};
use crate::timestamp::Timestamp;

/// The demo's store, if `DATABASE_URL` is not set.
pub const DEFAULT_DATABASE: &str = "data/demo.db";

/// One of the two.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    id: &'static str,
    /// The name.
    pub name: &'static str,
    /// The e-mail.
    pub email: &'static str,
    /// The password.
    pub password: &'static str,
}

/// The buyer and the seller.
pub const ACCOUNTS: [Account; 2] = [
    Account {
        id: "65a000000000000000000001",
        name: "Lucía Fernández",
        email: "lucia@demo.example",
        password: "buyer-demo",
    },
    Account {
        id: "65a000000000000000000002",
        name: "Martín Sosa",
        email: "martin@demo.example",
        password: "seller-demo",
    },
];

/// The conversation of the demo that this process serves, once it is there.
static CONVERSATION: OnceLock<Id> = OnceLock::new();

/// The conversation of the two, if this process serves the demo.
pub fn conversation() -> Option<&'static Id> {
    CONVERSATION.get()
}

impl Account {
    /// The user's id.
    pub fn id(&self) -> Id {
        Id::parse(self.id).expect("the demo's ids are valid")
    }
}

/// Makes the accounts and their conversation if they are not there.
pub async fn prepare(store: &Arc<dyn Store>, passwords: &Passwords) -> Result<Conversation, StoreError> {
    for account in ACCOUNTS {
        if store.user(&account.id()).await?.is_some() {
            continue;
        }
        let hash = passwords
            .hash(account.password.to_owned(), Turn::new(Lane::Registration, Ipv4Addr::LOCALHOST.into()))
            .await;
        let profile = Profile {
            id: account.id(),
            full_name: Some(account.name.to_owned()),
            profile_picture_url: None,
            is_deleted: false,
        };
        let user = User {
            profile,
            email: Some(account.email.to_owned()),
            password_hash: hash.map_err(|error| StoreError::Engine(error.to_string().into()))?,
            role: Role::Seller,
            phone: None,
            is_active: true,
            created_at: Timestamp::now(),
        };
        store.create_user(user).await?;
    }
    let horse_id = Some(Id::parse("65a0000000000000000000aa").expect("the demo's ids are valid"));
    let participants = ACCOUNTS.map(|account| account.id());
    // Opened by both, so that both see it before anything is written.
    let [buyer, seller] = participants.clone();
    let twin = NewConversation { participants: [seller, buyer], horse_id: horse_id.clone() };
    store.open_conversation(NewConversation { participants, horse_id }).await?;
    let conversation = store.open_conversation(twin).await?;
    // Preparing it again finds the same conversation.
    CONVERSATION.get_or_init(|| conversation.id.clone());
    Ok(conversation)
}

/// The secret of the demo, kept beside its store so that tokens survive a restart; made if there is none.
///
/// An error names the file.
pub fn secret(database: &Path) -> io::Result<String> {
    let mut path = database.as_os_str().to_owned();
    path.push(".secret");
    let path = Path::new(&path);
    secret_in(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn secret_in(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(secret) if secret.trim().len() >= 32 => return Ok(secret.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut secret = String::new();
    for byte in bytes {
        write!(secret, "{byte:02x}").map_err(io::Error::other)?;
    }
    write_private(path, &secret)?;
    Ok(secret)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_stays() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("demo.db");
        let made = secret(&database).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!(secret(&database).unwrap(), made);
        let file = folder.path().join("demo.db.secret");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "cut").unwrap();
        assert_ne!(secret(&database).unwrap(), "cut");
        let error = secret(&folder.path().join("absent/demo.db")).unwrap_err().to_string();
        assert!(error.contains("absent/demo.db.secret: "), "{error}");
    }
}
