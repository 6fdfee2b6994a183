-- Deleted messages that lie next to each other, from `first_seq` to `last_seq`; two of these never touch. What shows
-- messages passes over them at once, and a message that is not deleted costs nothing here.
CREATE TABLE deleted_runs (
    conversation INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    PRIMARY KEY (conversation, last_seq)
) WITHOUT ROWID;

INSERT INTO deleted_runs (conversation, first_seq, last_seq)
SELECT conversation, min(seq), max(seq) FROM (
    SELECT conversation, seq, seq - row_number() OVER (PARTITION BY conversation ORDER BY seq) AS run
    FROM messages
    WHERE conversation IN (SELECT key FROM conversations WHERE deleted > 0) AND deleted_at IS NOT NULL
) GROUP BY conversation, run;
