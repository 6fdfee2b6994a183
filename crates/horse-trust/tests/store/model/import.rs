//! What the store has at first: messages that an import brought.

use horse_trust::store::postgres::PostgresImport;
use horse_trust::store::sqlite::Database;
use horse_trust::store::{ImportTarget, Staged, StagedConversation, StagedMessage};
use horse_trust::timestamp::Timestamp;
use proptest::prelude::*;

use super::world::{PAIRS, USERS, World};
use crate::fixture::store::{Place, id};

const TEXT: &str = "imported";

/// A message that an import brings.
#[derive(Debug, Clone)]
pub(super) struct Imported {
    conversation: usize,
    side: usize,
    is_read: bool,
    is_deleted: bool,
}

pub(super) fn imported() -> impl Strategy<Value = Vec<Imported>> {
    let message = (0..3_usize, 0..2_usize, any::<bool>(), prop::bool::weighted(0.3));
    let message = message.prop_map(|(conversation, side, is_read, is_deleted)| Imported {
        conversation,
        side,
        is_read,
        is_deleted,
    });
    prop::collection::vec(message, 0..15)
}

/// Brings them into a store that nobody serves, and into the model.
pub(super) async fn import_into(place: &Place, world: &mut World, messages: Vec<Imported>) {
    for message in &messages {
        let added = world.push(message.conversation, message.side, TEXT.to_owned(), None);
        added.is_read = message.is_read;
        added.is_deleted = message.is_deleted;
    }
    let open: Box<dyn FnOnce() -> Box<dyn ImportTarget> + Send> = match place {
        Place::Folder(folder) => {
            let path = folder.path().join("data/chat.db");
            Box::new(move || Box::new(Database::open(&path).unwrap()))
        }
        Place::Database(url) => {
            let url = url.clone();
            Box::new(move || Box::new(PostgresImport::open(&url).unwrap()))
        }
    };
    tokio::task::spawn_blocking(move || import(&mut *open(), &messages)).await.unwrap();
}

fn import(target: &mut dyn ImportTarget, messages: &[Imported]) {
    let conversation_id = |index: usize| id(&format!("65b00000000000000000000{index}"));
    let conversations: Vec<_> = PAIRS
        .iter()
        .enumerate()
        .map(|(index, pair)| StagedConversation {
            id: conversation_id(index),
            participants: pair.map(|user| id(USERS[user])),
            horse_id: None,
            created_at: Timestamp(1000),
            updated_at: Timestamp(1000),
            last_message: None,
        })
        .collect();
    let messages: Vec<_> = (0..)
        .zip(messages)
        .map(|(number, message)| StagedMessage {
            id: id(&format!("65d0000000000000000000{number:02}")),
            conversation_id: conversation_id(message.conversation),
            sender_id: id(USERS[PAIRS[message.conversation][message.side]]),
            text: TEXT.to_owned(),
            extras: None,
            is_read: message.is_read,
            read_at: None,
            deleted_at: message.is_deleted.then_some(Timestamp(3000)),
            sent_at: Timestamp(2000 + number),
            order: Timestamp(2000 + number),
        })
        .collect();
    let mut file = target.begin().unwrap();
    let staged = file.conversations(&conversations).unwrap();
    assert!(staged.iter().all(|staged| *staged == Staged::Added));
    file.commit().unwrap();
    let mut file = target.begin().unwrap();
    let staged = file.messages(&messages).unwrap();
    assert!(staged.iter().all(|staged| *staged == Staged::Added));
    file.commit().unwrap();
}
