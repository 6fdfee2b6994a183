//! The records of the three collections, by Mongoose's field names.

use serde_json::Value;

use super::extended_json::{FieldError, Record, id};
use crate::id::Id;
use crate::store::{LastMessage, Profile, Role, StagedConversation, StagedMessage, User};
use crate::timestamp::Timestamp;

/// A record of `users`.
pub(super) fn user(value: &Value) -> Result<User, FieldError> {
    let record = Record::new(value, "")?;
    let id = record.required("_id", record.id("_id")?)?;
    let email = record.required("email", record.text("email")?)?.trim().to_lowercase();
    if email.is_empty() {
        return Err(FieldError::new("email", "empty"));
    }
    let role = match record.text("role")?.as_deref() {
        None | Some("seller") => Role::Seller,
        Some("admin") => Role::Admin,
        Some(_) => return Err(FieldError::new("role", "neither seller nor admin")),
    };
    let created_at = record.date("created_at")?.unwrap_or_else(|| made_at(&id));
    let profile = Profile {
        id,
        full_name: record.text("full_name")?,
        profile_picture_url: record.text("profile_picture_url")?,
    };
    Ok(User {
        profile,
        email,
        // Without a hash nobody can log in to the account.
        password_hash: record.text("password_hash")?.unwrap_or_default(),
        role,
        phone: record.text("phone")?,
        is_active: record.flag("is_active")?.unwrap_or(true),
        created_at,
    })
}

/// A record of `conversations`.
pub(super) fn conversation(value: &Value) -> Result<StagedConversation, FieldError> {
    let record = Record::new(value, "")?;
    let own_id = record.required("_id", record.id("_id")?)?;
    let participants = record.required("participants", record.value("participants"))?;
    let participants: Option<Vec<Id>> =
        participants.as_array().and_then(|participants| participants.iter().map(id).collect());
    let participants: Option<[Id; 2]> = participants.and_then(|participants| participants.try_into().ok());
    let participants = participants.ok_or_else(|| FieldError::new("participants", "not two ids"))?;
    if participants[0] == participants[1] {
        return Err(FieldError::new("participants", "twice the same"));
    }
    let created_at = record.date("created_at")?.unwrap_or_else(|| made_at(&own_id));
    Ok(StagedConversation {
        id: own_id,
        participants,
        horse_id: record.id("horse_id")?,
        created_at,
        updated_at: record.date("updated_at")?.unwrap_or(created_at),
        last_message: record.value("last_message").map(last_message).transpose()?.flatten(),
    })
}

/// The snapshot in a conversation; one without a text or a sender is none.
fn last_message(value: &Value) -> Result<Option<LastMessage>, FieldError> {
    let record = Record::new(value, "last_message.")?;
    let (text, sender_id) = (record.text("text")?, record.id("sender_id")?);
    let sent_at = record.date("sent_at")?;
    let is_read = record.flag("is_read")?.unwrap_or(false);
    let (Some(text), Some(sender_id), Some(sent_at)) = (text, sender_id, sent_at) else { return Ok(None) };
    Ok(Some(LastMessage { text, sender_id, sent_at, is_read }))
}

/// A record of `messages`.
pub(super) fn message(value: &Value) -> Result<StagedMessage, FieldError> {
    let record = Record::new(value, "")?;
    Ok(StagedMessage {
        id: record.required("_id", record.id("_id")?)?,
        conversation_id: record.required("conversation_id", record.id("conversation_id")?)?,
        sender_id: record.required("sender_id", record.id("sender_id")?)?,
        text: record.required("text", record.text("text")?)?,
        is_read: record.flag("is_read")?.unwrap_or(false),
        read_at: record.date("read_at")?,
        deleted_at: record.date("deleted_at")?,
        sent_at: record.required("sent_at", record.date("sent_at")?)?,
    })
}

/// The time in an ObjectId; 1970 for another id.
fn made_at(id: &Id) -> Timestamp {
    let seconds = Some(id.as_str())
        .filter(|text| text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| i64::from_str_radix(&text[..8], 16).ok());
    Timestamp(seconds.unwrap_or(0) * 1000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let message = |change: &dyn Fn(&mut Value)| {
            let mut value = json!({
                "_id": {"$oid": "65a000000000000000000001"}, "conversation_id": {"$oid": "c"},
                "sender_id": {"$oid": "u"}, "text": "hi", "is_read": false, "read_at": null,
                "sent_at": {"$date": "2024-01-15T10:30:00.000Z"}, "__v": 0
            });
            change(&mut value);
            message(&value)
                .map(|message| message.text)
                .map_err(|error| format!("{}: {}", error.field, error.problem))
        };
        assert_eq!(message(&|_| {}), Ok("hi".into()));
        assert_eq!(message(&|value| value["sent_at"] = json!("soon")), Err("sent_at: not a date".into()));
        assert_eq!(message(&|value| value["text"] = json!(7)), Err("text: not a text".into()));
        assert_eq!(message(&|value| value["text"] = json!(null)), Err("text: missing".into()));
        assert_eq!(
            message(&|value| value["sender_id"] = json!({"$oid": ""})),
            Err("sender_id: not an id".into())
        );
        assert_eq!(
            message(&|value| value["is_read"] = json!("no")),
            Err("is_read: neither true nor false".into())
        );
        let twins = json!({"_id": "c", "participants": ["a", "a"]});
        assert_eq!(conversation(&twins).unwrap_err(), FieldError::new("participants", "twice the same"));
        let snapshot = json!({"_id": "c", "participants": ["a", "b"], "last_message": {"text": 7}});
        assert_eq!(conversation(&snapshot).unwrap_err(), FieldError::new("last_message.text", "not a text"));
    }

    #[test]
    fn what_may_be_missing_has_a_default() {
        let user =
            user(&json!({"_id": {"$oid": "65a000000000000000000001"}, "email": "A@B.example"})).unwrap();
        assert_eq!((user.email.as_str(), user.role, user.is_active), ("a@b.example", Role::Seller, true));
        assert_eq!(user.created_at.to_string(), "2024-01-11T14:49:36.000Z");
    }
}
