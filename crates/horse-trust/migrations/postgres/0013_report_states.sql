-- What admins made of a report: open, resolved or dismissed; by whom and when; `note` is their own.
ALTER TABLE reports
    ADD COLUMN state text NOT NULL DEFAULT 'open',
    ADD COLUMN note text,
    ADD COLUMN decided_at bigint,
    ADD COLUMN decided_by text;

CREATE INDEX reports_by_state ON reports (state, key);
CREATE INDEX reports_by_id ON reports (id);
