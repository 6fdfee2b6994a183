//! An import into the database. It waits for each answer, so that it is as simple as that into a file; a thousand records
//! are one statement.

use std::collections::HashSet;
use std::hash::Hash;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::Row;

use super::connection::{Connection, Parameters};
use super::error::OpenError;
use super::settings::Settings;
use super::{nodes, schema};
use crate::store::error::{Result, StoreError};
use crate::store::import::{ImportFile, ImportTarget, Staged, StagedConversation, StagedMessage};
use crate::store::types::User;
use crate::timestamp::Timestamp;

/// How long an import waits for nodes that are just ending.
const PATIENCE: Duration = Duration::from_secs(3);

/// A database that no node serves, to bring files into. Not to be used on a runtime: it blocks.
pub struct PostgresImport {
    runtime: Runtime,
    connection: Connection,
}

impl PostgresImport {
    /// Connects to the database at `url` and migrates the schema. As long as this is there no node starts that says
    /// that it is there.
    pub fn open(url: &str) -> std::result::Result<Self, OpenError> {
        let settings = Settings::parse(url)?;
        let failed = |source| OpenError::Database { database: settings.name.to_string(), source };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| failed(StoreError::Engine(error.to_string().into())))?;
        let connection = runtime.block_on(async {
            schema::prepare(&settings.for_migration()).await?;
            let begun = Instant::now();
            loop {
                if let Some(connection) = nodes::lock(&settings.for_import(), false).await.map_err(failed)? {
                    return Ok(connection);
                }
                if begun.elapsed() > PATIENCE {
                    return Err(OpenError::InUse(settings.name.to_string()));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })?;
        Ok(Self { runtime, connection })
    }

    fn query(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        Ok(self.runtime.block_on(self.connection.query(sql, parameters))?)
    }

    fn execute(&self, sql: &str) -> Result<()> {
        Ok(self.runtime.block_on(self.connection.client.batch_execute(sql))?)
    }
}

impl Drop for PostgresImport {
    fn drop(&mut self) {
        // Nodes may start at once, though the server has not yet seen that the connection is closed.
        if let Err(error) = self.execute("SELECT pg_advisory_unlock_all()") {
            tracing::warn!(%error, "the end of the import could not be recorded in the database");
        }
    }
}

impl ImportTarget for PostgresImport {
    fn begin(&mut self) -> Result<Box<dyn ImportFile + '_>> {
        self.execute(BEGIN)?;
        Ok(Box::new(File { import: self, is_open: true }))
    }
}

struct File<'a> {
    import: &'a PostgresImport,
    is_open: bool,
}

const BEGIN: &str = "BEGIN;
    CREATE TEMP TABLE staged (
        id text COLLATE \"C\" NOT NULL PRIMARY KEY, conversation bigint NOT NULL, sender smallint NOT NULL,
        sent_at bigint NOT NULL, place bigint NOT NULL, text text NOT NULL, extras text, is_read boolean, read_at bigint,
        deleted_at bigint
    ) ON COMMIT DROP";

/// Answers for each account whether its id was there before, and whether one of its id and e-mail was added.
const USERS: &str = "
    WITH asked AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::boolean[], $9::bigint[])
        WITH ORDINALITY AS a (id, email, password_hash, role, full_name, phone, profile_picture_url, is_active,
            created_at, place)
    ), added AS (
        INSERT INTO users (id, email, password_hash, role, full_name, phone, profile_picture_url, is_active, created_at)
        SELECT id, email, password_hash, role, full_name, phone, profile_picture_url, is_active, created_at
        FROM asked ORDER BY place
        ON CONFLICT DO NOTHING RETURNING id, email
    )
    SELECT EXISTS (SELECT 1 FROM users u WHERE u.id = a.id),
        EXISTS (SELECT 1 FROM added n WHERE n.id = a.id AND n.email = a.email)
    FROM asked a ORDER BY a.place";

/// Answers for each conversation whether one of its id was added.
const CONVERSATIONS: &str = "
    WITH asked AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[],
            $8::bigint[], $9::text[], $10::boolean[])
        WITH ORDINALITY AS a (id, user_a, user_b, horse_id, created_at, updated_at, last_sender, last_at, last_text,
            last_is_read, place)
    ), added AS (
        INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at)
        SELECT id, user_a, user_b, horse_id, created_at, updated_at FROM asked ORDER BY place
        ON CONFLICT (id) DO NOTHING RETURNING key, id
    ), snapshots AS (
        INSERT INTO imported_last_messages (conversation, sender, sent_at, text, is_read)
        SELECT n.key, f.last_sender, f.last_at, f.last_text, f.last_is_read
        FROM (SELECT DISTINCT ON (id) * FROM asked ORDER BY id, place) f JOIN added n ON n.id = f.id
        WHERE f.last_sender IS NOT NULL
    )
    SELECT n.id IS NOT NULL FROM asked a LEFT JOIN added n ON n.id = a.id ORDER BY a.place";

/// Answers for each message its conversation's key, if there is one, whether its sender takes part, and whether one of
/// its id was added.
const MESSAGES: &str = "
    WITH asked AS MATERIALIZED (
        SELECT a.*, c.key, CASE a.sender WHEN c.user_a THEN 0 WHEN c.user_b THEN 1 END AS side
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::bigint[])
        WITH ORDINALITY AS a (id, conversation, sender, text, extras, is_read, read_at, deleted_at, sent_at, place, number)
        LEFT JOIN conversations c ON c.id = a.conversation
    ), added AS (
        INSERT INTO staged (id, conversation, sender, sent_at, place, text, extras, is_read, read_at, deleted_at)
        SELECT id, key, side, sent_at, place, text, extras, CASE WHEN is_read THEN true END, read_at, deleted_at
        FROM asked WHERE side IS NOT NULL AND (SELECT m.seq FROM messages m WHERE m.id = asked.id) IS NULL
        ORDER BY number
        ON CONFLICT (id) DO NOTHING RETURNING id
    )
    SELECT a.key, a.side IS NOT NULL, n.id IS NOT NULL FROM asked a LEFT JOIN added n ON n.id = a.id ORDER BY a.number";

const COMMIT: &str = "
    SELECT lock_writes();

    INSERT INTO messages (conversation, seq, id, sender, sent_at, text, extras, is_read, read_at, deleted_at)
    SELECT s.conversation,
        c.last_seq + row_number() OVER (PARTITION BY s.conversation ORDER BY s.place, s.id),
        s.id, s.sender, s.sent_at, s.text, s.extras, s.is_read, s.read_at, s.deleted_at
    FROM staged s JOIN conversations c ON c.key = s.conversation;

    WITH counts AS (
        SELECT conversation, count(*) AS messages,
            count(*) FILTER (WHERE deleted_at IS NOT NULL) AS deleted,
            count(*) FILTER (WHERE sender = 1 AND is_read IS NULL AND deleted_at IS NULL) AS unread_a,
            count(*) FILTER (WHERE sender = 0 AND is_read IS NULL AND deleted_at IS NULL) AS unread_b
        FROM staged GROUP BY conversation
    ), counted AS (
        UPDATE conversations c SET
            last_seq = c.last_seq + n.messages, deleted = c.deleted + n.deleted,
            unread_a = c.unread_a + n.unread_a, unread_b = c.unread_b + n.unread_b
        FROM counts n WHERE n.conversation = c.key
        RETURNING c.user_a, c.user_b, n.messages, n.unread_a, n.unread_b
    )
    INSERT INTO unread_totals AS t (user_id, unread, messages)
    SELECT u.user_id, sum(u.unread), sum(c.messages)
    FROM counted c CROSS JOIN LATERAL (VALUES (c.user_a, c.unread_a), (c.user_b, c.unread_b)) AS u (user_id, unread)
    GROUP BY u.user_id
    ON CONFLICT (user_id) DO UPDATE
    SET unread = t.unread + excluded.unread, messages = t.messages + excluded.messages;

    DELETE FROM imported_last_messages WHERE conversation IN (SELECT conversation FROM staged);

    SELECT find_deleted_runs(array(SELECT DISTINCT conversation FROM staged WHERE deleted_at IS NOT NULL));

    COMMIT;

    -- Whoever asks next finds a database that has grown.
    ANALYZE users, conversations, messages, unread_totals";

/// A list of what each record has.
fn column<'a, R, T>(records: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    records.iter().map(value).collect()
}

fn milliseconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(|time| time.0)
}

/// The first record that has a text which PostgreSQL can't store, and the name of that field.
fn unstorable<'a, R, const N: usize>(
    records: &'a [R],
    texts: impl Fn(&'a R) -> [(&'static str, Option<&'a str>); N],
) -> Option<(usize, &'static str)> {
    records.iter().enumerate().find_map(|(index, record)| {
        let bad = texts(record).into_iter().find(|(_, text)| text.is_some_and(|text| text.contains('\0')));
        bad.map(|(field, _)| (index, field))
    })
}

/// Adds all records before the one that can't be stored, and says what that is refused for.
fn add<R>(
    records: &[R],
    unstorable: Option<(usize, &'static str)>,
    add: impl FnOnce(&[R]) -> Result<Vec<Staged>>,
) -> Result<Vec<Staged>> {
    let Some((index, field)) = unstorable else { return add(records) };
    let mut outcomes = add(&records[..index])?;
    outcomes.push(Staged::Refused(field, "U+0000 in a text, which PostgreSQL can't store"));
    Ok(outcomes)
}

/// Of those that have the same key only the first was added.
struct Firsts<K>(HashSet<K>);

impl<K: Eq + Hash> Firsts<K> {
    fn new() -> Self {
        Self(HashSet::new())
    }

    fn outcome(&mut self, key: K, is_added: bool) -> Staged {
        Staged::added_or_known(is_added && self.0.insert(key))
    }
}

impl ImportFile for File<'_> {
    fn users(&mut self, users: &[User]) -> Result<Vec<Staged>> {
        let unstorable = unstorable(users, |user| {
            [
                ("email", user.email.as_deref()),
                ("password_hash", Some(&user.password_hash)),
                ("full_name", user.profile.full_name.as_deref()),
                ("phone", user.phone.as_deref()),
                ("profile_picture_url", user.profile.profile_picture_url.as_deref()),
            ]
        });
        add(users, unstorable, |users| {
            let rows = self.import.query(
                USERS,
                &[
                    &column(users, |user| &user.profile.id),
                    &column(users, |user| user.email.as_ref()),
                    &column(users, |user| &user.password_hash),
                    &column(users, |user| user.role.name()),
                    &column(users, |user| user.profile.full_name.as_ref()),
                    &column(users, |user| user.phone.as_ref()),
                    &column(users, |user| user.profile.profile_picture_url.as_ref()),
                    &column(users, |user| user.is_active),
                    &column(users, |user| user.created_at.0),
                ],
            )?;
            let mut added = HashSet::new();
            let outcome = |(user, row): (&User, &Row)| {
                let (was_there, is_added): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
                let is_repeat = was_there || added.contains(&user.profile.id);
                Ok(match (is_repeat, is_added) {
                    (true, _) => Staged::Known,
                    (false, true) => {
                        added.insert(user.profile.id.clone());
                        Staged::Added
                    }
                    (false, false) => Staged::EMAIL_TAKEN,
                })
            };
            users.iter().zip(&rows).map(outcome).collect()
        })
    }

    fn conversations(&mut self, conversations: &[StagedConversation]) -> Result<Vec<Staged>> {
        let unstorable = unstorable(conversations, |conversation| {
            [("last_message.text", conversation.last_message.as_ref().map(|last| last.text.as_str()))]
        });
        add(conversations, unstorable, |conversations| {
            let rows = self.import.query(
                CONVERSATIONS,
                &[
                    &column(conversations, |conversation| &conversation.id),
                    &column(conversations, |conversation| &conversation.participants[0]),
                    &column(conversations, |conversation| &conversation.participants[1]),
                    &column(conversations, |conversation| conversation.horse_id.as_ref()),
                    &column(conversations, |conversation| conversation.created_at.0),
                    &column(conversations, |conversation| conversation.updated_at.0),
                    &column(conversations, |conversation| {
                        conversation.last_message.as_ref().map(|last| &last.sender_id)
                    }),
                    &column(conversations, |conversation| {
                        conversation.last_message.as_ref().map(|last| last.sent_at.0)
                    }),
                    &column(conversations, |conversation| {
                        conversation.last_message.as_ref().map(|last| &last.text)
                    }),
                    &column(conversations, |conversation| {
                        conversation.last_message.as_ref().map(|last| last.is_read)
                    }),
                ],
            )?;
            let mut firsts = Firsts::new();
            let outcome = |(conversation, row): (&StagedConversation, &Row)| {
                Ok(firsts.outcome(conversation.id.clone(), row.try_get(0)?))
            };
            conversations.iter().zip(&rows).map(outcome).collect()
        })
    }

    fn messages(&mut self, messages: &[StagedMessage]) -> Result<Vec<Staged>> {
        let unstorable = unstorable(messages, |message| [("text", Some(message.text.as_str()))]);
        add(messages, unstorable, |messages| {
            let rows = self.import.query(
                MESSAGES,
                &[
                    &column(messages, |message| &message.id),
                    &column(messages, |message| &message.conversation_id),
                    &column(messages, |message| &message.sender_id),
                    &column(messages, |message| &message.text),
                    &column(messages, |message| message.extras.as_deref()),
                    &column(messages, |message| message.is_read),
                    &column(messages, |message| milliseconds(message.read_at)),
                    &column(messages, |message| milliseconds(message.deleted_at)),
                    &column(messages, |message| message.sent_at.0),
                    &column(messages, |message| message.order.0),
                ],
            )?;
            let mut firsts = Firsts::new();
            let outcome = |(message, row): (&StagedMessage, &Row)| {
                Ok(match (row.try_get::<_, Option<i64>>(0)?, row.try_get(1)?) {
                    (None, _) => Staged::NO_CONVERSATION,
                    (Some(_), false) => Staged::NO_PARTICIPANT,
                    (Some(_), true) => firsts.outcome(message.id.clone(), row.try_get(2)?),
                })
            };
            messages.iter().zip(&rows).map(outcome).collect()
        })
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.import.execute(COMMIT)?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for File<'_> {
    fn drop(&mut self) {
        if self.is_open
            && let Err(error) = self.import.execute("ROLLBACK")
        {
            // Then it was rolled back with its connection.
            tracing::debug!(%error, "an import was given up");
        }
    }
}
