//! Who there is and who writes to whom: read once at the start from files of JSON lines as mongoexport writes them.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};

use serde::{Deserialize, Serialize};

#[derive(Serialize)]
pub struct Profile {
    pub _id: String,
    pub full_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_picture_url: Option<String>,
}

pub struct Conversation {
    participants: [String; 2],
}

impl Conversation {
    pub fn other_than(&self, user: &str) -> &str {
        let [first, second] = &self.participants;
        if first == user { second } else { first }
    }
}

pub struct Directory {
    profiles: HashMap<String, Profile>,
    conversations: HashMap<String, Conversation>,
}

#[derive(Deserialize)]
struct ObjectId {
    #[serde(rename = "$oid")]
    oid: String,
}

#[derive(Deserialize)]
struct UserRecord {
    _id: ObjectId,
    full_name: String,
    profile_picture_url: Option<String>,
}

#[derive(Deserialize)]
struct ConversationRecord {
    _id: ObjectId,
    participants: [ObjectId; 2],
}

impl Directory {
    pub fn load(users: &str, conversations: &str) -> Result<Self, Box<dyn Error>> {
        let mut directory = Self { profiles: HashMap::new(), conversations: HashMap::new() };
        for line in BufReader::new(File::open(users)?).lines() {
            let user: UserRecord = serde_json::from_str(&line?)?;
            let profile = Profile {
                _id: user._id.oid.clone(),
                full_name: Some(user.full_name),
                profile_picture_url: user.profile_picture_url,
            };
            directory.profiles.insert(user._id.oid, profile);
        }
        for line in BufReader::new(File::open(conversations)?).lines() {
            let record: ConversationRecord = serde_json::from_str(&line?)?;
            let participants = record.participants.map(|id| id.oid);
            directory.conversations.insert(record._id.oid, Conversation { participants });
        }
        Ok(directory)
    }

    /// The conversation, if this user takes part in it.
    pub fn conversation_for(&self, user: &str, id: &str) -> Option<&Conversation> {
        self.conversations.get(id).filter(|found| found.participants.iter().any(|one| one == user))
    }

    /// A participant always has a profile here: both come from the same files.
    pub fn profile(&self, user: &str) -> &Profile {
        &self.profiles[user]
    }
}
