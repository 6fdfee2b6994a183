//! The SQL of the platform's people.

use async_trait::async_trait;
use tokio_postgres::Row;

use super::codec::check_text;
use super::connection::Parameters;
use super::people::{UserRow, user_of};
use super::standing;
use super::store::PostgresStore;
use crate::id::Id;
use crate::store::columns::sql;
use crate::store::error::{Result, StoreError};
use crate::store::standing::{Standing, Suspension};
use crate::store::traits::DirectoryStore;
use crate::store::types::{Actor, NewAuditEntry, People, PeopleQuery, Person, UserPatch, integer};
use crate::timestamp::Timestamp;

/// How many users one statement changes, well within the time that it has.
const CHANGED_AT_ONCE: usize = 250;
/// How many people one search looks at.
const SEARCHED_AT_ONCE: i64 = 50_000;

const PERSON: &str = sql!(
    "SELECT ",
    UserRow::COLUMNS,
    ", s.user_id AS suspended, s.until, s.reason, now_ms() AS now
    FROM users u LEFT JOIN suspensions s ON s.user_id = u.id "
);

fn read_person(row: &Row) -> Result<Person> {
    let user = user_of(UserRow::read(row, 0)?);
    let own = match row.try_get::<_, Option<Id>>("suspended")? {
        Some(_) => Some((row.try_get("until")?, row.try_get("reason")?)),
        None => None,
    };
    let now: Timestamp = row.try_get("now")?;
    let suspension = Suspension::of(user.is_active, own, now);
    Ok(Person { user, suspension })
}

#[async_trait]
impl DirectoryStore for PostgresStore {
    async fn set_users(&self, patches: Vec<UserPatch>, actor: Actor) -> Result<Vec<Result<bool>>> {
        let sql = "
            SELECT p.place, s.is_created, s.is_taken
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bool[],
                $9::bigint[]) AS p (id, fields, full_name, picture, email, phone, role, is_active, place)
            CROSS JOIN LATERAL set_user(p.id, string_to_array(p.fields, ','), p.full_name, p.picture, p.email, p.phone,
                p.role, p.is_active, $10) s";
        let actor = actor.to_column();
        let mut outcomes = Vec::with_capacity(patches.len());
        for part in patches.chunks(CHANGED_AT_ONCE) {
            // In one order, so that two batches do not wait for each other in a circle.
            let mut places: Vec<_> = (0..part.len()).collect();
            places.sort_by_key(|place| (&part[*place].id, *place));
            let sorted: Vec<_> = places.iter().map(|place| &part[*place]).collect();
            for (_, text) in sorted.iter().flat_map(|patch| patch.texts()) {
                text.iter().flatten().try_for_each(|text| check_text(text))?;
            }
            let text = |index: usize| -> Vec<Option<&str>> {
                sorted.iter().map(|patch| patch.texts()[index].1.as_ref()?.as_deref()).collect()
            };
            let ids: Vec<_> = sorted.iter().map(|patch| &patch.id).collect();
            let fields: Vec<_> = sorted.iter().map(|patch| fields(patch)).collect();
            let roles: Vec<_> = sorted.iter().map(|patch| patch.role.map(crate::store::Role::name)).collect();
            let active: Vec<_> = sorted.iter().map(|patch| patch.is_active).collect();
            let numbers: Vec<_> = places.iter().map(|place| integer(*place as u64)).collect();
            let texts = [text(0), text(1), text(2), text(3)];
            let rows = self
                .pool
                .query(
                    sql,
                    &[
                        &ids, &fields, &texts[0], &texts[1], &texts[2], &texts[3], &roles, &active, &numbers,
                        &actor,
                    ],
                )
                .await?;
            let mut answers: Vec<(i64, Result<bool>)> = Vec::with_capacity(rows.len());
            for row in &rows {
                let is_taken: bool = row.try_get("is_taken")?;
                let outcome =
                    if is_taken { Err(StoreError::EmailTaken) } else { Ok(row.try_get("is_created")?) };
                answers.push((row.try_get("place")?, outcome));
            }
            answers.sort_by_key(|(place, _)| *place);
            outcomes.extend(answers.into_iter().map(|(_, outcome)| outcome));
        }
        Ok(outcomes)
    }

    async fn person(&self, id: &Id) -> Result<Option<Person>> {
        self.pool.query(sql!(PERSON, "WHERE u.id = $1"), &[id]).await?.first().map(read_person).transpose()
    }

    async fn people(&self, query: PeopleQuery, limit: u32) -> Result<People> {
        // One row more than is answered shows whether there are more.
        let sql = sql!(
            "WITH looked AS (
                SELECT id FROM users WHERE id > $1 AND erased_at IS NULL AND ($2::text IS NULL OR email = $2)
                ORDER BY id LIMIT $5)
            SELECT f.*, (SELECT max(id) FROM looked) AS last, (SELECT count(*) FROM looked) AS looked_at
            FROM (SELECT 1) one LEFT JOIN LATERAL (",
            PERSON,
            "WHERE u.id > $1 AND u.id <= (SELECT max(id) FROM looked) AND u.erased_at IS NULL
                AND ($2::text IS NULL OR u.email = $2)
                AND ($3::text IS NULL OR strpos(lower(u.full_name), $3) > 0 OR strpos(u.email, $3) > 0)
            ORDER BY u.id LIMIT $4) f ON true ORDER BY f.id"
        );
        let after = query.after.as_ref().map_or("", Id::as_str);
        let rows = self
            .pool
            .query(sql, &[&after, &query.email, &query.text, &(i64::from(limit) + 1), &SEARCHED_AT_ONCE])
            .await?;
        let mut found = People { people: Vec::new(), next: None };
        for row in &rows {
            if row.try_get::<_, Option<Id>>(0)?.is_some() {
                found.people.push(read_person(row)?);
            }
        }
        if found.people.len() > limit as usize {
            found.people.truncate(limit as usize);
            found.next = found.people.last().map(|person| person.user.profile.id.clone());
        } else if let Some(row) = rows.first()
            && row.try_get::<_, i64>("looked_at")? >= SEARCHED_AT_ONCE
        {
            found.next = row.try_get("last")?;
        }
        Ok(found)
    }

    async fn set_suspension(
        &self,
        user: &Id,
        suspension: Option<Suspension>,
        audit: NewAuditEntry,
    ) -> Result<()> {
        let sql = "
            WITH made AS (
                INSERT INTO suspensions (user_id, until, reason) SELECT $1, $2, $3 WHERE $4
                ON CONFLICT (user_id) DO UPDATE SET until = excluded.until, reason = excluded.reason),
            ended AS (DELETE FROM suspensions WHERE user_id = $1 AND NOT $4)
            INSERT INTO audit (actor, action, target, details) VALUES ($5, $6, $1, $7)";
        let is_suspended = suspension.is_some();
        let Suspension { until, reason } = suspension.unwrap_or_default();
        let (until, actor) = (until.map(|until| until.0), audit.actor.to_column());
        let details = audit.details.as_deref();
        let parameters: Parameters<'_> =
            &[user, &until, &reason, &is_suspended, &actor, &audit.action, &details];
        self.pool.query(sql, parameters).await.map(drop)
    }

    async fn standing(&self, user: &Id) -> Result<Standing> {
        standing::standing(&self.pool, user).await
    }

    async fn viewers_of(&self, users: Vec<Id>) -> Result<Vec<Vec<Id>>> {
        let sql = "
            SELECT u.place, p.other FROM unnest($1::text[]) WITH ORDINALITY AS u (id, place) CROSS JOIN LATERAL (
                SELECT user_b AS other FROM conversations
                WHERE user_a = u.id AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 1)
                UNION SELECT user_a FROM conversations
                WHERE user_b = u.id AND (last_seq > 0 OR hidden_from IS DISTINCT FROM 0)) p";
        let mut viewers = vec![Vec::new(); users.len()];
        for row in self.pool.query(sql, &[&users]).await? {
            let place = usize::try_from(row.try_get::<_, i64>("place")?).unwrap_or_default();
            if let Some(viewers) = viewers.get_mut(place.wrapping_sub(1)) {
                viewers.push(row.try_get("other")?);
            }
        }
        Ok(viewers)
    }
}

/// The fields that a patch names, separated by commas.
fn fields(patch: &UserPatch) -> String {
    let texts = patch.texts().into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name);
    let role = patch.role.map(|_| "role");
    texts.chain(role).chain(patch.is_active.map(|_| "is_active")).collect::<Vec<_>>().join(",")
}
