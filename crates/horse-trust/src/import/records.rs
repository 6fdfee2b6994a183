//! The records of the three collections, by Mongoose's field names.

use super::field_error::FieldError;
use super::record::Record;
use crate::id::Id;
use crate::store::{LastMessage, MessageExtras, Profile, Role, StagedConversation, StagedMessage, User};
use crate::timestamp::Timestamp;

/// The names of all fields that are read, of whatever collection.
pub(super) const FIELDS: &[&str] = &[
    "_id",
    "conversation_id",
    "created_at",
    "custom",
    "deleted_at",
    "email",
    "full_name",
    "horse_id",
    "is_active",
    "is_read",
    "last_message",
    "participants",
    "password_hash",
    "phone",
    "profile_picture_url",
    "read_at",
    "role",
    "sender_id",
    "sent_at",
    "text",
    "updated_at",
];

/// What has dates that may lie in the future: those of a clock that was wrong.
pub(super) trait Dated {
    /// Hands over each of its dates.
    fn each_date(&mut self, change: impl FnMut(&mut Timestamp));

    /// Brings the dates after `now` back to it. Answers how many there were.
    fn bring_back(&mut self, now: Timestamp) -> u64 {
        let mut count = 0;
        self.each_date(|date| {
            if *date > now {
                *date = now;
                count += 1;
            }
        });
        count
    }
}

impl Dated for User {
    fn each_date(&mut self, mut change: impl FnMut(&mut Timestamp)) {
        change(&mut self.created_at);
    }
}

impl Dated for StagedConversation {
    fn each_date(&mut self, mut change: impl FnMut(&mut Timestamp)) {
        change(&mut self.created_at);
        change(&mut self.updated_at);
        if let Some(last) = &mut self.last_message {
            change(&mut last.sent_at);
        }
    }
}

impl Dated for StagedMessage {
    /// Not `order`, which keeps the place among other messages.
    fn each_date(&mut self, mut change: impl FnMut(&mut Timestamp)) {
        change(&mut self.sent_at);
        self.read_at.iter_mut().for_each(&mut change);
        self.deleted_at.iter_mut().for_each(&mut change);
    }
}

/// A record of `users`.
pub(super) fn user(record: &Record<'_>) -> Result<User, FieldError> {
    let id = record.required("_id", record.id("_id")?)?;
    if id == Id::SYSTEM {
        return Err(FieldError::new("_id", "system, which is the platform's own id"));
    }
    let email = crate::unicode::email(&record.required("email", record.text("email")?)?);
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
        is_deleted: false,
    };
    Ok(User {
        profile,
        email: Some(email),
        // Without a hash nobody can log in to the account.
        password_hash: record.text("password_hash")?.unwrap_or_default(),
        role,
        phone: record.text("phone")?,
        is_active: is_active(record)?,
        created_at,
    })
}

/// A user without the field is active. `null` is not a default: the application read it as neither true nor false, and an
/// import must not end a suspension.
fn is_active(record: &Record<'_>) -> Result<bool, FieldError> {
    match record.flag("is_active")? {
        Some(is_active) => Ok(is_active),
        None if record.even_null("is_active").is_some() => {
            Err(record.error("is_active", "neither true nor false"))
        }
        None => Ok(true),
    }
}

/// A record of `conversations`.
pub(super) fn conversation(record: &Record<'_>) -> Result<StagedConversation, FieldError> {
    let own_id = record.required("_id", record.id("_id")?)?;
    let participants = record.required("participants", record.ids("participants")?)?;
    let participants: Result<[Id; 2], _> = participants.try_into();
    let participants = participants.map_err(|_| FieldError::new("participants", "not two ids"))?;
    if participants[0] == participants[1] {
        return Err(FieldError::new("participants", "twice the same"));
    }
    if participants.contains(&Id::SYSTEM) {
        return Err(FieldError::new("participants", "system, which is the platform's own id"));
    }
    let created_at = record.date("created_at")?.unwrap_or_else(|| made_at(&own_id));
    Ok(StagedConversation {
        id: own_id,
        participants,
        horse_id: record.id("horse_id")?,
        created_at,
        updated_at: record.date("updated_at")?.unwrap_or(created_at),
        last_message: last_message(record)?,
    })
}

/// The snapshot in a conversation; one without a text or a sender is none.
fn last_message(conversation: &Record<'_>) -> Result<Option<LastMessage>, FieldError> {
    let Some(json) = conversation.value("last_message") else { return Ok(None) };
    let record = Record::parse(json.get().as_bytes(), FIELDS, "last_message.")
        .map_err(|_| conversation.error("last_message", "not an object"))?;
    let (text, sender_id) = (record.text("text")?, record.id("sender_id")?);
    let sent_at = record.date("sent_at")?;
    let is_read = record.flag("is_read")?.unwrap_or(false);
    let (Some(text), Some(sender_id), Some(sent_at)) = (text, sender_id, sent_at) else { return Ok(None) };
    Ok(Some(LastMessage { text, sender_id, sent_at, is_read }))
}

/// A record of `messages`.
pub(super) fn message(record: &Record<'_>) -> Result<StagedMessage, FieldError> {
    let mut message = StagedMessage {
        id: record.required("_id", record.id("_id")?)?,
        conversation_id: record.required("conversation_id", record.id("conversation_id")?)?,
        sender_id: record.required("sender_id", record.id("sender_id")?)?,
        text: record.required("text", record.text("text")?)?,
        extras: MessageExtras { custom: record.custom("custom")? }.if_any(),
        is_read: record.flag("is_read")?.unwrap_or(false),
        read_at: record.date("read_at")?,
        deleted_at: record.date("deleted_at")?,
        sent_at: record.required("sent_at", record.date("sent_at")?)?,
        order: Timestamp(0),
    };
    message.order = message.sent_at;
    Ok(message)
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
    use serde_json::{Value, json};

    use super::*;

    fn read<T>(value: &Value, read: fn(&Record<'_>) -> Result<T, FieldError>) -> Result<T, FieldError> {
        let json = value.to_string();
        read(&Record::parse(json.as_bytes(), FIELDS, "").unwrap())
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let message = |change: &dyn Fn(&mut Value)| {
            let mut value = json!({
                "_id": {"$oid": "65a000000000000000000001"}, "conversation_id": {"$oid": "c"},
                "sender_id": {"$oid": "u"}, "text": "hi", "is_read": false, "read_at": null,
                "sent_at": {"$date": "2024-01-15T10:30:00.000Z"}, "__v": 0
            });
            change(&mut value);
            read(&value, message)
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
            message(&|value| value["is_read"] = json!("maybe")),
            Err("is_read: neither true nor false".into())
        );
        let twins = json!({"_id": "c", "participants": ["a", "a"]});
        assert_eq!(
            read(&twins, conversation).unwrap_err(),
            FieldError::new("participants", "twice the same")
        );
        let platform = json!({"_id": "c", "participants": ["a", "system"]});
        assert_eq!(read(&platform, conversation).unwrap_err().field, "participants");
        let platform = json!({"_id": "system", "email": "a@example.org"});
        assert!(read(&platform, user).is_err_and(|error| error.field == "_id"));
        let snapshot = json!({"_id": "c", "participants": ["a", "b"], "last_message": {"text": 7}});
        assert_eq!(
            read(&snapshot, conversation).unwrap_err(),
            FieldError::new("last_message.text", "not a text")
        );
    }

    #[test]
    fn what_may_be_missing_has_a_default() {
        let bare = json!({"_id": {"$oid": "65a000000000000000000001"}, "email": "A@B.example"});
        let user = read(&bare, user).unwrap();
        assert_eq!(
            (user.email.as_deref(), user.role, user.is_active),
            (Some("a@b.example"), Role::Seller, true)
        );
        assert_eq!(user.created_at.to_string(), "2024-01-11T14:49:36.000Z");
    }

    #[test]
    fn whether_an_account_is_active_is_never_guessed() {
        let is_active = |value: Value| {
            let record = json!({"_id": "u", "email": "u@example.org", "is_active": value});
            read(&record, user).map(|user| user.is_active).map_err(|error| error.problem)
        };
        for (value, expected) in
            [(json!(false), false), (json!(0), false), (json!("false"), false), (json!(1), true)]
        {
            assert_eq!(is_active(value), Ok(expected));
        }
        for value in [json!(null), json!("suspended"), json!(2), json!([]), json!({"$numberDouble": "NaN"})] {
            assert_eq!(is_active(value), Err("neither true nor false".into()));
        }
    }

    #[test]
    fn dates_after_now_are_brought_back_and_counted() {
        let now = Timestamp(1_000_000);
        let date = |at: i64| json!({"$date": at});
        let record = json!({
            "_id": "m", "conversation_id": "c", "sender_id": "u", "text": "", "sent_at": date(1_000_001),
            "read_at": date(999_999), "deleted_at": date(2_000_000)
        });
        let mut message = read(&record, message).unwrap();
        assert_eq!(message.bring_back(now), 2);
        assert_eq!(
            (message.sent_at, message.deleted_at, message.order),
            (now, Some(now), Timestamp(1_000_001))
        );
        assert_eq!(message.read_at, Some(Timestamp(999_999)));
        assert_eq!(message.bring_back(now), 0);
        let record = json!({
            "_id": "ffffffff0000000000000000", "participants": ["a", "b"],
            "last_message": {"text": "", "sender_id": "a", "sent_at": date(1_000_001)}
        });
        let mut conversation = read(&record, conversation).unwrap();
        assert_eq!(
            conversation.bring_back(now),
            3,
            "the time in the id stands for both dates that are missing"
        );
        assert_eq!((conversation.created_at, conversation.updated_at), (now, now));
    }
}
