-- What each of the two has set for the conversation. It is archived up to this sequence number: with a later message it no
-- longer is, and the message writes nothing for that.
ALTER TABLE conversations
    ADD COLUMN archived_seq_a bigint,
    ADD COLUMN archived_seq_b bigint,
    ADD COLUMN is_muted_a boolean NOT NULL DEFAULT false,
    ADD COLUMN is_muted_b boolean NOT NULL DEFAULT false,
    ADD COLUMN is_pinned_a boolean NOT NULL DEFAULT false,
    ADD COLUMN is_pinned_b boolean NOT NULL DEFAULT false;
