//! The rules of the admin API: what the platform and admins change, over the chat and the store. The routes are in
//! `http/admin`.

mod erasures;
mod export;
mod patch;
mod people;
pub mod view;
mod webhooks;

pub use self::erasures::Erasures;
pub use self::export::{Export, ExportError};
pub use self::patch::{Lookup, user_patch};
pub use self::people::{People, PersonError};
pub use self::webhooks::{parse_webhook_id, webhook_id};
