//! What the platform says of a user, read from JSON.

use serde_json::value::RawValue;

use crate::contract::{FieldError, person};
use crate::id::Id;
use crate::json::LossyString;
use crate::store::{Role, UserPatch};

/// Looks up the fields of a JSON object by their names.
pub trait Lookup {
    /// The value of a field, also `null`; `None` if it is not named.
    fn value(&self, name: &str) -> Option<&RawValue>;
}

/// Reads the fields of a user, all of which may be left out. The errors name each field that is not right.
pub fn user_patch(id: Id, fields: &impl Lookup) -> Result<UserPatch, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut text = |path, check: fn(&str) -> Result<String, &'static str>| {
        let value = fields.value(path)?.get();
        if value == "null" {
            return Some(None);
        }
        match LossyString::parse(value) {
            Some(text) => match check(&text) {
                Ok(text) => return Some(Some(text)),
                Err(msg) => errors.push(error(path, msg)),
            },
            None => errors.push(FieldError { path, msg: format!("{path} must be a string or null") }),
        }
        None
    };
    let mut patch = UserPatch {
        full_name: text("full_name", person::full_name),
        profile_picture_url: text("profile_picture_url", person::picture_url),
        email: text("email", person::email),
        phone: text("phone", person::phone),
        ..UserPatch::new(id)
    };
    patch.role = fields.value("role").and_then(|value| match value.get() {
        // What is taken away is the lesser right.
        "null" | "\"seller\"" => Some(Role::Seller),
        "\"admin\"" => Some(Role::Admin),
        _ => {
            errors.push(error("role", "Role must be seller or admin"));
            None
        }
    });
    patch.is_active = fields.value("is_active").and_then(|value| match value.get() {
        "null" | "true" => Some(true),
        "false" => Some(false),
        _ => {
            errors.push(error("is_active", "is_active must be true or false"));
            None
        }
    });
    if errors.is_empty() { Ok(patch) } else { Err(errors) }
}

fn error(path: &'static str, msg: &str) -> FieldError {
    FieldError { path, msg: msg.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    struct Object(HashMap<String, Box<RawValue>>);

    impl Lookup for Object {
        fn value(&self, name: &str) -> Option<&RawValue> {
            self.0.get(name).map(|value| &**value)
        }
    }

    fn patch(json: &str) -> Result<UserPatch, Vec<&'static str>> {
        let fields = Object(serde_json::from_str(json).unwrap());
        user_patch(Id::parse("u").unwrap(), &fields)
            .map_err(|errors| errors.iter().map(|error| error.path).collect())
    }

    #[test]
    fn what_is_not_named_stays_and_null_takes_away() {
        let empty = UserPatch::new(Id::parse("u").unwrap());
        assert_eq!(patch("{}"), Ok(empty.clone()));
        assert_eq!(patch(r#"{"name":7,"password":"x"}"#), Ok(empty.clone()));
        let all_null = r#"{"full_name":null,"profile_picture_url":null,"email":null,"phone":null,"role":null,"is_active":null}"#;
        let taken_away = UserPatch {
            full_name: Some(None),
            profile_picture_url: Some(None),
            email: Some(None),
            phone: Some(None),
            role: Some(Role::Seller),
            is_active: Some(true),
            ..empty.clone()
        };
        assert_eq!(patch(all_null), Ok(taken_away));
        let some =
            patch(r#"{"full_name":" Ana ","email":"ANA@Example.com","role":"admin","is_active":false}"#);
        let expected = UserPatch {
            full_name: Some(Some("Ana".to_owned())),
            email: Some(Some("ana@example.com".to_owned())),
            role: Some(Role::Admin),
            is_active: Some(false),
            ..empty
        };
        assert_eq!(some, Ok(expected));
    }

    #[test]
    fn each_wrong_field_is_named() {
        let wrong = r#"{"full_name":"","profile_picture_url":"javascript:x","email":7,"phone":"x","role":"root","is_active":0}"#;
        let all = vec!["full_name", "profile_picture_url", "email", "phone", "role", "is_active"];
        assert_eq!(patch(wrong), Err(all));
        assert_eq!(patch(r#"{"full_name":["Ana"],"phone":"+5491112345678"}"#), Err(vec!["full_name"]));
    }
}
