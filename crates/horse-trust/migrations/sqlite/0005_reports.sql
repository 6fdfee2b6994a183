-- A user reports a message once. What was kept twice before stays, and is marked as a repeat.
ALTER TABLE reports ADD COLUMN is_repeat INTEGER NOT NULL DEFAULT 0;
UPDATE reports SET is_repeat = 1 WHERE key NOT IN (SELECT min(key) FROM reports GROUP BY reporter, message_id);
CREATE UNIQUE INDEX reports_once ON reports (reporter, message_id) WHERE is_repeat = 0;
