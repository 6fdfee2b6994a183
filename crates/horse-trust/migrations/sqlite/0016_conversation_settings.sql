-- What each of the two has set for the conversation. It is archived up to this sequence number: with a later message it no
-- longer is, and the message writes nothing for that.
ALTER TABLE conversations ADD COLUMN archived_seq_a INTEGER;
ALTER TABLE conversations ADD COLUMN archived_seq_b INTEGER;
ALTER TABLE conversations ADD COLUMN is_muted_a INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN is_muted_b INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN is_pinned_a INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN is_pinned_b INTEGER NOT NULL DEFAULT 0;
