//! The SQL of listings, and of conversations that the platform makes.

use async_trait::async_trait;

use super::codec::count;
use super::conversations::{self, ConversationRow, read_conversation};
use super::store::PostgresStore;
use crate::id::Id;
use crate::store::columns::sql;
use crate::store::error::Result;
use crate::store::traits::ListingStore;
use crate::store::types::{Conversation, NewConversation};

/// A changed row gets a new number.
const SET: &str = "INSERT INTO listings (conversation, listing) VALUES ($1, $2)
     ON CONFLICT (conversation) DO UPDATE SET listing = excluded.listing, number = DEFAULT";
const SET_OF_HORSE: &str = "INSERT INTO listings (horse_id, listing) VALUES ($1, $2)
     ON CONFLICT (horse_id) DO UPDATE SET listing = excluded.listing, number = DEFAULT";
const SHOW: &str = "UPDATE conversations SET hidden_from = NULL WHERE key = $1 AND hidden_from IS NOT NULL";
const ABOUT: &str = sql!(
    "SELECT ",
    ConversationRow::COLUMNS,
    " FROM conversations c WHERE c.horse_id = $1 AND c.key < $2 ORDER BY c.key DESC LIMIT $3"
);

#[async_trait]
impl ListingStore for PostgresStore {
    async fn put_conversation(&self, new: NewConversation) -> Result<(Conversation, bool)> {
        let (id, plan) = (self.ids.next(), self.plan.get());
        let opened = conversations::find_or_insert(&self.pool, &id, &new, plan).await;
        self.events_added();
        let conversation = opened?;
        self.pool.query(SHOW, &[&conversation.key]).await?;
        let is_new = conversation.id == id;
        Ok((conversation, is_new))
    }

    async fn set_listing(&self, conversation: &Conversation, listing: Option<String>) -> Result<()> {
        self.pool.query(SET, &[&conversation.key, &listing]).await.map(drop)
    }

    async fn set_horse_listing(&self, horse: &Id, listing: String) -> Result<()> {
        self.pool.query(SET_OF_HORSE, &[horse, &listing]).await.map(drop)
    }

    async fn conversations_about(
        &self,
        horse: &Id,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Conversation>> {
        let before = before.unwrap_or(i64::MAX);
        let rows = self.pool.query(ABOUT, &[horse, &before, &i64::from(limit)]).await?;
        rows.iter().map(read_conversation).collect()
    }

    async fn count_about(&self, horse: &Id) -> Result<u64> {
        let rows =
            self.pool.query("SELECT count(*) FROM conversations WHERE horse_id = $1", &[horse]).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?.map_or(0, count))
    }
}
