-- What admins made of a report: open, resolved or dismissed; by whom and when; `note` is their own.
ALTER TABLE reports ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
ALTER TABLE reports ADD COLUMN note TEXT;
ALTER TABLE reports ADD COLUMN decided_at INTEGER;
ALTER TABLE reports ADD COLUMN decided_by TEXT;

CREATE INDEX reports_by_state ON reports (state, key);
CREATE INDEX reports_by_id ON reports (id);
