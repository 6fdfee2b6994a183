//! The platform's people: what it says of them, and how they are found.

use super::accounts::{Role, User};
use crate::id::Id;
use crate::store::standing::Suspension;
use crate::timestamp::Timestamp;

/// An account as admins and the platform see it.
#[derive(Clone)]
pub struct Person {
    /// The account.
    pub user: User,
    /// Set while the account is suspended, also if `is_active` is false.
    pub suspension: Option<Suspension>,
}

impl Person {
    /// A person of whom nothing is known yet.
    pub(in crate::store) fn new(id: Id) -> Self {
        let profile = super::Profile { id, full_name: None, profile_picture_url: None, is_deleted: false };
        Self {
            user: User {
                profile,
                email: None,
                password_hash: String::new(),
                role: Role::Seller,
                phone: None,
                is_active: true,
                created_at: Timestamp::now(),
            },
            suspension: None,
        }
    }
}

/// What the platform says of a user: a field that is `None` stays as it is; `Some(None)` takes it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPatch {
    /// The user.
    pub id: Id,
    /// The name.
    pub full_name: Option<Option<String>>,
    /// The URL of the picture.
    pub profile_picture_url: Option<Option<String>>,
    /// Lower-case.
    pub email: Option<Option<String>>,
    /// `+` and 7 to 15 digits.
    pub phone: Option<Option<String>>,
    /// The user's rights.
    pub role: Option<Role>,
    /// Whether the account may be used.
    pub is_active: Option<bool>,
}

impl UserPatch {
    /// A patch that changes nothing.
    pub fn new(id: Id) -> Self {
        Self {
            id,
            full_name: None,
            profile_picture_url: None,
            email: None,
            phone: None,
            role: None,
            is_active: None,
        }
    }

    /// The texts, by their columns.
    #[expect(clippy::option_option, reason = "not named, taken away, and a text")]
    pub(in crate::store) fn texts(&self) -> [(&'static str, &Option<Option<String>>); 4] {
        [
            ("full_name", &self.full_name),
            ("profile_picture_url", &self.profile_picture_url),
            ("email", &self.email),
            ("phone", &self.phone),
        ]
    }

    /// How many bytes its texts have.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.texts()
            .iter()
            .map(|(_, text)| text.as_ref().and_then(Option::as_ref).map_or(0, String::len))
            .sum()
    }

    /// Changes `user`; answers the names of the fields that are now others.
    pub(in crate::store) fn apply(&self, user: &mut User) -> Vec<&'static str> {
        fn set<T: Clone + PartialEq>(field: &mut T, value: Option<&T>) -> bool {
            let Some(value) = value.filter(|value| *value != field) else { return false };
            field.clone_from(value);
            true
        }
        let changes = [
            ("full_name", set(&mut user.profile.full_name, self.full_name.as_ref())),
            (
                "profile_picture_url",
                set(&mut user.profile.profile_picture_url, self.profile_picture_url.as_ref()),
            ),
            ("email", set(&mut user.email, self.email.as_ref())),
            ("phone", set(&mut user.phone, self.phone.as_ref())),
            ("role", set(&mut user.role, self.role.as_ref())),
            ("is_active", set(&mut user.is_active, self.is_active.as_ref())),
        ];
        changes.into_iter().filter(|(_, is_new)| *is_new).map(|(name, _)| name).collect()
    }
}

/// Which people are listed: those with an id behind `after`, in the order of ids.
#[derive(Debug, Clone, Default)]
pub struct PeopleQuery {
    /// Where the answer before ended.
    pub after: Option<Id>,
    /// The whole e-mail, in lower case.
    pub email: Option<String>,
    /// A part of the name or of the e-mail, in lower case.
    pub text: Option<String>,
}

/// People that were found.
pub struct People {
    /// In the order of their ids.
    pub people: Vec<Person>,
    /// Behind which id to look on; `None` at the end. A search looks at a bounded number of people at once, so it may be
    /// set where few or none were found.
    pub next: Option<Id>,
}
