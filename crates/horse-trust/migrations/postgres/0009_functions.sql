-- Which functions.sql was applied last: the greatest version of those that were, and the checksum of its text.
ALTER TABLE horse_trust_schema ADD COLUMN functions_version integer NOT NULL DEFAULT 0;
ALTER TABLE horse_trust_schema ADD COLUMN functions_checksum text NOT NULL DEFAULT '';

-- The conversations of two about a horse, the oldest first: a pair may have thousands.
CREATE INDEX conversations_by_pair ON conversations (user_a, user_b, (coalesce(horse_id, '')), created_at, key);
DROP INDEX conversations_by_users;
