-- The sequence number of the message in the same conversation that a message replies to. Of its text no copy is kept.
ALTER TABLE messages ADD COLUMN reply_to INTEGER;
ALTER TABLE recent_a ADD COLUMN reply_to INTEGER;
ALTER TABLE recent_b ADD COLUMN reply_to INTEGER;

DROP VIEW all_messages;
-- As of 0003, with what a message replies to.
CREATE VIEW all_messages AS
    SELECT conversation, seq, id, sender, sent_at, text, client_id, reply_to, is_read, read_at, deleted_at, edited_at
    FROM messages
    UNION ALL
    SELECT conversation, seq, id, sender, sent_at, text, client_id, reply_to,
        CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER)
    FROM recent_a r
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = r.conversation AND m.seq = r.seq)
    UNION ALL
    SELECT conversation, seq, id, sender, sent_at, text, client_id, reply_to,
        CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER), CAST(NULL AS INTEGER)
    FROM recent_b r
    WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation = r.conversation AND m.seq = r.seq);
