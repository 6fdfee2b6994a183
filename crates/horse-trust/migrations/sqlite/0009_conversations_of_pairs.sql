-- The conversations of two about a horse, the oldest first: a pair may have thousands.
CREATE INDEX conversations_by_pair ON conversations (user_a, user_b, horse_id, created_at);
DROP INDEX conversations_by_users;
