-- Which of the two does not see the conversation while it has no message, 0 for user_a, 1 for user_b: the one who did not
-- open it. NULL once both have opened it, and for what an import brought.
ALTER TABLE conversations ADD COLUMN hidden_from smallint;

-- The oldest conversation of these two about that horse (an import may have brought several), made if there is
-- none. `one` opens it, and sees it from then on.
CREATE OR REPLACE FUNCTION open_conversation(new_id text, one text, other text, horse text) RETURNS SETOF conversations
LANGUAGE plpgsql AS $$
DECLARE
    found_row conversations;
BEGIN
    -- Both may ask at once, on different nodes.
    PERFORM pg_advisory_xact_lock(1215517811, hashtext(least(one, other) || ' ' || greatest(one, other)));
    SELECT * INTO found_row FROM conversations
    WHERE ((user_a = one AND user_b = other) OR (user_a = other AND user_b = one))
        AND horse_id IS NOT DISTINCT FROM horse
    ORDER BY created_at, key LIMIT 1;
    IF NOT FOUND THEN
        RETURN QUERY
        INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at, hidden_from)
        SELECT new_id, one, other, horse, n.at, n.at, 1 FROM (SELECT now_ms() AS at) n
        RETURNING *;
        RETURN;
    END IF;
    IF found_row.hidden_from = (found_row.user_a <> one)::int THEN
        UPDATE conversations SET hidden_from = NULL WHERE key = found_row.key;
    END IF;
    RETURN NEXT found_row;
END $$;
