-- The optional parts of a message that no statement looks into, as JSON; NULL if there are none.
ALTER TABLE messages ADD COLUMN extras TEXT;
ALTER TABLE recent_a ADD COLUMN extras TEXT;
ALTER TABLE recent_b ADD COLUMN extras TEXT;

DROP VIEW all_messages;
-- As of 0010, with the extras.
CREATE VIEW all_messages AS
    SELECT conversation, seq, id, sender, sent_at, text, client_id, reply_to, extras, is_read, read_at, deleted_at, edited_at
    FROM messages
    UNION ALL
    SELECT conversation, seq, id, sender, sent_at, text, client_id, reply_to, extras,
        CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER)
    FROM recent_a r
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = r.conversation AND m.seq = r.seq)
    UNION ALL
    SELECT conversation, seq, id, sender, sent_at, text, client_id, reply_to, extras,
        CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER)
    FROM recent_b r
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = r.conversation AND m.seq = r.seq);
