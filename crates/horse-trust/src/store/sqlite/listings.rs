//! The SQL of listings, and of conversations that the platform makes.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::codec::count;
use super::conversations::{self, ConversationRow, read_conversation};
use super::store::SqliteStore;
use crate::id::Id;
use crate::store::columns::sql;
use crate::store::error::Result;
use crate::store::traits::ListingStore;
use crate::store::types::{Conversation, NewConversation};

/// A row that is replaced gets a new number.
const SET: &str = "INSERT OR REPLACE INTO listings (conversation, listing) VALUES (?1, ?2)";
const SET_OF_HORSE: &str = "INSERT OR REPLACE INTO listings (horse_id, listing) VALUES (?1, ?2)";
const SHOW: &str = "UPDATE conversations SET hidden_from = NULL WHERE key = ?1 AND hidden_from NOT NULL";
const ABOUT: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    " FROM conversations c WHERE c.horse_id = ?1 AND c.key < ?2 ORDER BY c.key DESC LIMIT ?3"
);

const COUNT: &str = "SELECT count(*) FROM conversations WHERE horse_id = ?1";

fn conversations_about(
    connection: &Connection,
    horse: &Id,
    before: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<Conversation>> {
    connection
        .prepare_cached(ABOUT)?
        .query_map(params![horse, before.unwrap_or(i64::MAX), limit], read_conversation)?
        .collect()
}

#[async_trait]
impl ListingStore for SqliteStore {
    async fn put_conversation(&self, new: NewConversation) -> Result<(Conversation, bool)> {
        let (ids, plan) = (Arc::clone(&self.ids), Arc::clone(&self.plan));
        self.write(move |connection| {
            let mut is_new = false;
            let conversation =
                conversations::find_or_insert_conversation(connection, &new, plan.get(), || {
                    is_new = true;
                    ids.next()
                })?;
            connection.prepare_cached(SHOW)?.execute([conversation.key])?;
            Ok((conversation, is_new))
        })
        .await
    }

    async fn set_listing(&self, conversation: &Conversation, listing: Option<String>) -> Result<()> {
        let (key, bytes) = (conversation.key, listing.as_ref().map_or(0, String::len));
        self.write_bytes(bytes, move |connection| {
            Ok(connection.prepare_cached(SET)?.execute(params![key, listing]).map(drop)?)
        })
        .await
    }

    async fn set_horse_listing(&self, horse: &Id, listing: String) -> Result<()> {
        let horse = horse.clone();
        self.write_bytes(listing.len(), move |connection| {
            Ok(connection.prepare_cached(SET_OF_HORSE)?.execute(params![horse, listing]).map(drop)?)
        })
        .await
    }

    async fn conversations_about(
        &self,
        horse: &Id,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Conversation>> {
        let horse = horse.clone();
        self.readers.read(move |connection| conversations_about(connection, &horse, before, limit)).await
    }

    async fn count_about(&self, horse: &Id) -> Result<u64> {
        let horse = horse.clone();
        self.readers
            .read(move |connection| {
                connection.prepare_cached(COUNT)?.query_row([horse], |row| row.get(0).map(count))
            })
            .await
    }
}
