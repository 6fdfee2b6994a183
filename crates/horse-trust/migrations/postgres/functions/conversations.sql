-- Conversations: how they are opened, and what of them is read.

-- The oldest conversation of these two about that horse (an import may have brought several), made if there is
-- none. `one` opens it, and sees it from then on.
CREATE OR REPLACE FUNCTION open_conversation(new_id text, one text, other text, horse text) RETURNS SETOF conversations
LANGUAGE plpgsql AS $$
DECLARE
    found_row conversations;
BEGIN
    -- Both may ask at once, on different nodes.
    PERFORM pg_advisory_xact_lock(1215517811, hashtext(least(one, other) || ' ' || greatest(one, other)));
    SELECT * INTO found_row FROM (
        (SELECT * FROM conversations
         WHERE user_a = one AND user_b = other AND coalesce(horse_id, '') = coalesce(horse, '')
         ORDER BY created_at, key LIMIT 1)
        UNION ALL
        (SELECT * FROM conversations
         WHERE user_a = other AND user_b = one AND coalesce(horse_id, '') = coalesce(horse, '')
         ORDER BY created_at, key LIMIT 1)
    ) of_the_pair ORDER BY created_at, key LIMIT 1;
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

-- Changes what one of the two has set for a conversation; NULL stays as it is. An archived conversation keeps up to where
-- it was archived, so a message that is stored later brings it back by itself.
CREATE OR REPLACE FUNCTION change_settings(
    conversation_key bigint, side smallint, archived boolean, muted boolean, pinned boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_writes();
    IF side = 0 THEN
        UPDATE conversations SET
            archived_seq_a = CASE archived WHEN true THEN last_seq WHEN false THEN NULL ELSE archived_seq_a END,
            is_muted_a = coalesce(muted, is_muted_a), is_pinned_a = coalesce(pinned, is_pinned_a)
        WHERE key = conversation_key;
    ELSE
        UPDATE conversations SET
            archived_seq_b = CASE archived WHEN true THEN last_seq WHEN false THEN NULL ELSE archived_seq_b END,
            is_muted_b = coalesce(muted, is_muted_b), is_pinned_b = coalesce(pinned, is_pinned_b)
        WHERE key = conversation_key;
    END IF;
END $$;

-- What came after a message in a user's conversations: of each conversation with messages a row for each message that
-- is not deleted, newest first, or one row without `seq` if there is none. In the message's own conversation that is
-- what has a greater sequence number, in the others what has a greater id. Behind more than `most` messages a
-- conversation has one row at most.
CREATE OR REPLACE FUNCTION missed_since(asking text, after_id text, most bigint)
RETURNS TABLE (conversation bigint, last_seq bigint, seq bigint, id text) LANGUAGE plpgsql STABLE ROWS 50 AS $$
#variable_conflict use_column
DECLARE
    after_conversation bigint;
    after_seq bigint;
    is_own boolean;
    counted bigint := 0;
    part_end bigint;
    known_seq bigint;
    run_first bigint;
    run_last bigint;
    c record;
    m record;
BEGIN
    SELECT conversation, seq INTO after_conversation, after_seq FROM messages WHERE id = after_id;
    FOR c IN
        SELECT key, last_seq, deleted,
            (SELECT n.id FROM messages n WHERE n.conversation = k.key AND n.seq = k.last_seq) AS newest_id
        FROM conversations k WHERE (user_a = asking OR user_b = asking) AND last_seq > 0
    LOOP
        conversation := c.key;
        last_seq := c.last_seq;
        seq := NULL;
        id := NULL;
        is_own := c.key IS NOT DISTINCT FROM after_conversation;
        known_seq := CASE WHEN is_own THEN after_seq ELSE 0 END;
        -- A statement for each conversation is what costs: most need none.
        IF NOT is_own AND c.newest_id <= after_id THEN
            RETURN NEXT;
            CONTINUE;
        END IF;
        IF c.deleted = 0 AND c.last_seq > known_seq AND (counted > most OR c.last_seq = known_seq + 1) THEN
            seq := c.last_seq;
            id := c.newest_id;
            counted := counted + 1;
            RETURN NEXT;
            CONTINUE;
        END IF;
        part_end := c.last_seq;
        run_first := NULL;
        run_last := NULL;
        -- Part by part between the runs of deleted messages, the newest first.
        <<parts>>
        WHILE part_end > known_seq LOOP
            IF c.deleted > 0 THEN
                SELECT r.first_seq, r.last_seq INTO run_first, run_last FROM deleted_runs r
                WHERE r.conversation = c.key AND r.last_seq <= part_end ORDER BY r.last_seq DESC LIMIT 1;
            END IF;
            FOR m IN
                SELECT seq, id, id <= after_id AS is_known FROM messages
                WHERE conversation = c.key AND seq > greatest(known_seq, run_last) AND seq <= part_end
                ORDER BY seq DESC
            LOOP
                EXIT parts WHEN m.is_known AND NOT is_own;
                seq := m.seq;
                id := m.id;
                RETURN NEXT;
                counted := counted + 1;
                EXIT parts WHEN counted > most;
            END LOOP;
            part_end := coalesce(run_first, 1) - 1;
        END LOOP;
        IF seq IS NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

-- For nodes of the version before: of each conversation with messages a row without `seq`, and one for each message.
CREATE OR REPLACE FUNCTION missed_messages(asking text, after_id text, most bigint)
RETURNS TABLE (conversation bigint, last_seq bigint, seq bigint) LANGUAGE sql STABLE ROWS 50 AS $$
    WITH missed AS MATERIALIZED (SELECT * FROM missed_since(asking, after_id, most))
    SELECT DISTINCT conversation, last_seq, NULL::bigint FROM missed
    UNION ALL SELECT conversation, last_seq, seq FROM missed WHERE seq IS NOT NULL
$$;

-- Where the messages of a page lie, counted from the newest and without deleted ones: the first and the last sequence
-- number of each part.
CREATE OR REPLACE FUNCTION shown_page(conversation_key bigint, newest bigint, skipped bigint, most bigint)
RETURNS TABLE (first_seq bigint, last_seq bigint) LANGUAGE plpgsql STABLE ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    part_end bigint := newest;
    passed bigint := skipped;
    missing bigint := most;
    part_size bigint;
    run record;
BEGIN
    FOR run IN
        SELECT first_seq, last_seq FROM (
            SELECT first_seq, last_seq FROM deleted_runs WHERE conversation = conversation_key
            UNION ALL SELECT 0, 0
        ) runs ORDER BY last_seq DESC
    LOOP
        part_size := part_end - run.last_seq;
        IF passed >= part_size THEN
            passed := passed - part_size;
        ELSE
            last_seq := part_end - passed;
            passed := 0;
            first_seq := greatest(run.last_seq + 1, last_seq - missing + 1);
            missing := missing - (last_seq - first_seq + 1);
            RETURN NEXT;
        END IF;
        EXIT WHEN missing <= 0;
        part_end := run.first_seq - 1;
    END LOOP;
END $$;

-- Finds the runs of some conversations anew.
CREATE OR REPLACE FUNCTION find_deleted_runs(keys bigint[]) RETURNS void LANGUAGE sql AS $$
    DELETE FROM deleted_runs WHERE conversation = ANY (keys);
    INSERT INTO deleted_runs (conversation, first_seq, last_seq)
    SELECT conversation, min(seq), max(seq) FROM (
        SELECT conversation, seq, seq - row_number() OVER (PARTITION BY conversation ORDER BY seq) AS run
        FROM messages WHERE conversation = ANY (keys) AND deleted_at IS NOT NULL
    ) deleted GROUP BY conversation, run;
$$;

-- A message that was deleted joins the runs before and behind it, whatever deleted it. Whoever deletes has the lock of
-- all writes.
CREATE OR REPLACE FUNCTION note_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    run_first bigint;
BEGIN
    DELETE FROM deleted_runs WHERE conversation = NEW.conversation AND last_seq = NEW.seq - 1
        RETURNING first_seq INTO run_first;
    run_first := coalesce(run_first, NEW.seq);
    UPDATE deleted_runs SET first_seq = run_first WHERE conversation = NEW.conversation AND last_seq = (
        SELECT last_seq FROM deleted_runs WHERE conversation = NEW.conversation AND last_seq > NEW.seq
        ORDER BY last_seq LIMIT 1
    ) AND first_seq = NEW.seq + 1;
    IF NOT FOUND THEN
        INSERT INTO deleted_runs (conversation, first_seq, last_seq) VALUES (NEW.conversation, run_first, NEW.seq);
    END IF;
    RETURN NULL;
END $$;
