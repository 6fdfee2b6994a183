//! The SQL of the platform's people.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::{self, UserRow};
use super::store::SqliteStore;
use super::{audit, standing, statements};
use crate::id::Id;
use crate::store::columns::sql;
use crate::store::error::{Result, StoreError};
use crate::store::standing::{Standing, Suspension};
use crate::store::traits::DirectoryStore;
use crate::store::types::{Actor, NewAuditEntry, People, PeopleQuery, Person, User, UserPatch};
use crate::timestamp::Timestamp;

/// How many users one write changes: messages wait for it.
const CHANGED_AT_ONCE: usize = 250;
/// How many people one search looks at.
const SEARCHED_AT_ONCE: usize = 50_000;

const PERSON: &str = sql!(
    "SELECT ",
    UserRow::COLUMNS,
    ", s.user AS suspended, s.until, s.reason FROM users u LEFT JOIN suspensions s ON s.user = u.id "
);

fn read_person(row: &Row<'_>) -> rusqlite::Result<Person> {
    let user = User::from(UserRow::read(row, 0)?);
    let own = match row.get::<_, Option<Id>>("suspended")? {
        Some(_) => Some((row.get("until")?, row.get("reason")?)),
        None => None,
    };
    let suspension = Suspension::of(user.is_active, own, Timestamp::now());
    Ok(Person { user, suspension })
}

fn person(connection: &Connection, id: &Id) -> rusqlite::Result<Option<Person>> {
    connection.prepare_cached(sql!(PERSON, "WHERE u.id = ?1"))?.query_row([id], read_person).optional()
}

/// Answers whether the user was made. Fails with `EmailTaken` and has changed nothing then.
fn set_user(connection: &Connection, patch: &UserPatch, actor: &Actor) -> Result<bool> {
    let found = person(connection, &patch.id)?.filter(|found| !found.user.profile.is_deleted);
    let is_created = found.is_none();
    let mut user = found.unwrap_or_else(|| Person::new(patch.id.clone())).user;
    let changed = patch.apply(&mut user);
    if !is_created && changed.is_empty() {
        return Ok(false);
    }
    match accounts::upsert_user(connection, &user) {
        Err(error) if statements::is_taken(&error, "users.email") => return Err(StoreError::EmailTaken),
        written => written?,
    }
    let action = if is_created { "user.create" } else { "user.update" };
    let entry = NewAuditEntry::new(actor.clone(), action, Some(patch.id.clone()));
    audit::insert(connection, &entry.with(&serde_json::json!({"fields": changed})))?;
    Ok(is_created)
}

fn people(connection: &Connection, query: &PeopleQuery, limit: usize) -> rusqlite::Result<People> {
    let mut statement = connection.prepare_cached(sql!(
        PERSON,
        "WHERE u.id > ?1 AND u.erased_at IS NULL AND (?2 IS NULL OR u.email = ?2) ORDER BY u.id"
    ))?;
    let after = query.after.as_ref().map_or("", Id::as_str);
    let mut rows = statement.query(params![after, query.email])?;
    let mut found = People { people: Vec::new(), next: None };
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let person = read_person(row)?;
        let user = &person.user;
        let has =
            |text: Option<&String>, part: &str| text.is_some_and(|text| text.to_lowercase().contains(part));
        looked_at += 1;
        let is_found = query
            .text
            .as_deref()
            .is_none_or(|part| has(user.profile.full_name.as_ref(), part) || has(user.email.as_ref(), part));
        let id = user.profile.id.clone();
        if is_found {
            found.people.push(person);
        }
        if found.people.len() >= limit || looked_at >= SEARCHED_AT_ONCE {
            // Behind the last one there may be nobody.
            found.next = rows.next()?.map(|_| id);
            break;
        }
    }
    Ok(found)
}

fn set_suspension(
    connection: &Connection,
    user: &Id,
    suspension: Option<&Suspension>,
    entry: &NewAuditEntry,
) -> rusqlite::Result<()> {
    match suspension {
        Some(Suspension { until, reason }) => connection
            .prepare_cached(
                "INSERT INTO suspensions (user, until, reason) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET until = excluded.until, reason = excluded.reason",
            )?
            .execute(params![user, until.map(|until| until.0), reason])?,
        None => connection.prepare_cached("DELETE FROM suspensions WHERE user = ?1")?.execute([user])?,
    };
    audit::insert(connection, entry)
}

fn viewers_of(connection: &Connection, users: &[Id]) -> rusqlite::Result<Vec<Vec<Id>>> {
    let mut statement = connection.prepare_cached(
        "SELECT user_b FROM conversations WHERE user_a = ?1 AND (last_seq > 0 OR hidden_from IS NOT 1)
         UNION SELECT user_a FROM conversations WHERE user_b = ?1 AND (last_seq > 0 OR hidden_from IS NOT 0)",
    )?;
    users.iter().map(|user| statement.query_map([user], |row| row.get(0))?.collect()).collect()
}

#[async_trait]
impl DirectoryStore for SqliteStore {
    async fn set_users(&self, patches: Vec<UserPatch>, actor: Actor) -> Result<Vec<Result<bool>>> {
        let mut outcomes = Vec::with_capacity(patches.len());
        for part in patches.chunks(CHANGED_AT_ONCE).map(<[_]>::to_vec) {
            let (bytes, actor) = (part.iter().map(UserPatch::bytes).sum(), actor.clone());
            let work = move |connection: &Connection| {
                let each = part.iter().map(|patch| match set_user(connection, patch, &actor) {
                    // What failed otherwise is undone with the others.
                    Err(error @ StoreError::Engine(_)) => Err(error),
                    outcome => Ok(outcome),
                });
                each.collect::<Result<Vec<_>>>()
            };
            outcomes.extend(self.write_bytes(bytes, work).await?);
        }
        Ok(outcomes)
    }

    async fn person(&self, id: &Id) -> Result<Option<Person>> {
        let id = id.clone();
        self.readers.read(move |connection| person(connection, &id)).await
    }

    async fn people(&self, query: PeopleQuery, limit: u32) -> Result<People> {
        self.readers.read(move |connection| people(connection, &query, limit as usize)).await
    }

    async fn set_suspension(
        &self,
        user: &Id,
        suspension: Option<Suspension>,
        audit: NewAuditEntry,
    ) -> Result<()> {
        let user = user.clone();
        self.write(move |connection| Ok(set_suspension(connection, &user, suspension.as_ref(), &audit)?))
            .await
    }

    async fn standing(&self, user: &Id) -> Result<Standing> {
        let user = user.clone();
        self.readers.read(move |connection| standing::standing(connection, &user)).await
    }

    async fn viewers_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>> {
        self.readers.read(move |connection| viewers_of(connection, &users)).await
    }
}
