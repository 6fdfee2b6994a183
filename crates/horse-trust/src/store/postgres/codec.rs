//! How the domain's words lie in a row.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::id::Id;
use crate::store::error::{Result, StoreError};
use crate::store::types::{Conversation, Message, Profile};
use crate::timestamp::Timestamp;

impl ToSql for Id {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.as_str().to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <&str as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::parse(<&str as FromSql>::from_sql(ty, raw)?)?)
    }

    fn accepts(ty: &Type) -> bool {
        <&str as FromSql>::accepts(ty)
    }
}

/// PostgreSQL has no U+0000 in texts. The chat refuses it anyway; here only what holds it fails, instead of the
/// batch that it is in.
pub(super) fn check_text(text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(StoreError::Engine("PostgreSQL can't store U+0000".into()));
    }
    Ok(())
}

/// A count as the domain has it; one that fell below nothing by a damaged row is nothing.
pub(super) fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

pub(super) fn time(row: &Row, at: usize) -> Result<Timestamp> {
    Ok(Timestamp(row.try_get(at)?))
}

pub(super) fn optional_time(row: &Row, at: usize) -> Result<Option<Timestamp>> {
    Ok(row.try_get::<_, Option<i64>>(at)?.map(Timestamp))
}

/// The columns of a conversation `c`, read by [`read_conversation`].
macro_rules! conversation_columns {
    () => {
        "c.key, c.id, c.user_a, c.user_b, c.horse_id, c.created_at"
    };
}

/// The columns of a shown message `m`, read by [`read_message`].
macro_rules! message_columns {
    () => {
        "m.id, m.seq, m.sender, m.text, m.is_read, m.sent_at, m.client_id, m.edited_at, m.deleted_at"
    };
}

pub(super) use {conversation_columns, message_columns};

/// How many columns [`read_conversation`] reads.
pub(super) const CONVERSATION_COLUMNS: usize = 6;

pub(super) fn read_conversation(row: &Row) -> Result<Conversation> {
    Ok(Conversation {
        key: row.try_get(0)?,
        id: row.try_get(1)?,
        participants: [row.try_get(2)?, row.try_get(3)?],
        horse_id: row.try_get(4)?,
        created_at: time(row, 5)?,
    })
}

/// Reads a message from column `at` on.
pub(super) fn read_message(row: &Row, at: usize, participants: &[Id; 2]) -> Result<Message> {
    let sender: i16 = row.try_get(at + 2)?;
    Ok(Message {
        id: row.try_get(at)?,
        seq: row.try_get(at + 1)?,
        sender: participants[usize::from(sender == 1)].clone(),
        text: row.try_get(at + 3)?,
        is_read: row.try_get(at + 4)?,
        sent_at: time(row, at + 5)?,
        client_id: row.try_get(at + 6)?,
        edited_at: optional_time(row, at + 7)?,
        deleted_at: optional_time(row, at + 8)?,
    })
}

/// Reads a profile from column `at` on: id, name and picture; `None` if there is none.
pub(super) fn read_profile(row: &Row, at: usize) -> Result<Option<Profile>> {
    let Some(id) = row.try_get(at)? else { return Ok(None) };
    let profile_picture_url = row.try_get(at + 2)?;
    Ok(Some(Profile { id, full_name: row.try_get(at + 1)?, profile_picture_url }))
}
