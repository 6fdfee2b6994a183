//! How values lie in the file, and what its errors are to the store.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};

use crate::id::Id;
use crate::store::error::StoreError;
use crate::store::types::MessageExtras;
use crate::timestamp::Timestamp;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error.to_string().into())
    }
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.as_str().as_bytes())))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).map_err(FromSqlError::other)
    }
}

impl ToSql for MessageExtras {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Text(self.to_json())))
    }
}

impl FromSql for MessageExtras {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_json(value.as_str()?).map_err(FromSqlError::other)
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// A count as the domain has it; one that fell below nothing by a damaged file is nothing.
pub(super) fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// The id of a message: 12 bytes if it is an ObjectId in lower case, else its text.
pub(super) struct MessageId(pub(super) Id);

impl ToSql for MessageId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match pack(self.0.as_str()) {
            Some(bytes) => ToSqlOutput::Owned(Value::Blob(bytes.to_vec())),
            None => ToSqlOutput::Borrowed(ValueRef::Text(self.0.as_str().as_bytes())),
        })
    }
}

impl FromSql for MessageId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let id = match value {
            ValueRef::Blob(bytes) => Id::parse(&unpack(bytes)),
            _ => Id::parse(value.as_str()?),
        };
        id.map(Self).map_err(FromSqlError::other)
    }
}

fn pack(text: &str) -> Option<[u8; 12]> {
    let digits: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 12];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

fn unpack(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_they_were() {
        let packed = pack("507f1f77bcf86cd799439011").unwrap();
        assert_eq!(unpack(&packed), "507f1f77bcf86cd799439011");
        for text in ["507F1F77bcf86cd799439011", "abc", "507f1f77bcf86cd79943901g"] {
            assert_eq!(pack(text), None, "{text}");
        }
    }
}
