-- Messages: what they are shown as, and every write that changes them. The first of the files of functions: see README.md.

-- A message as it is shown: deleted ones (an import brings them with what they said) without text and extras.
CREATE OR REPLACE VIEW shown_messages AS
SELECT m.conversation, m.id, m.seq, m.sender,
    CASE WHEN m.deleted_at IS NULL THEN m.text ELSE '' END AS text,
    m.is_read IS TRUE OR m.seq <= CASE m.sender
        WHEN 0 THEN c.read_seq_b WHEN 1 THEN c.read_seq_a ELSE least(c.read_seq_a, c.read_seq_b) END AS is_read,
    m.sent_at, m.client_id, m.edited_at, m.deleted_at,
    -- What a reply quotes, as that message now is.
    q.id AS quoted_id, q.seq AS quoted_seq, q.sender AS quoted_sender,
    CASE WHEN q.deleted_at IS NULL THEN q.text ELSE '' END AS quoted_text,
    CASE WHEN m.deleted_at IS NULL THEN m.extras END AS extras
FROM messages m JOIN conversations c ON c.key = m.conversation
LEFT JOIN messages q ON q.conversation = m.conversation AND q.seq = m.reply_to;

-- The clock of the database, in milliseconds since 1970: those of the nodes may differ.
CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

-- The lock of all writes, to the commit. Whatever changes conversations, messages or counts takes it first: so sequence
-- numbers have no holes, ids ascend in the order of commits, and no two transactions wait for each other in a circle.
CREATE OR REPLACE FUNCTION lock_writes() RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(1215517810, 1)
$$;

-- These two are the rules of src/store/clock.rs.

-- A time ahead of the clock is held for five seconds, so that times in a conversation do not run backwards when the
-- clock is set back a little; one further ahead counts for nothing.
CREATE OR REPLACE FUNCTION held_forward(now_at bigint, last_at bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN last_at - now_at BETWEEN 0 AND 5000 THEN last_at ELSE now_at END
$$;

-- Whether now is within a time after `since`. A time ahead of the clock permits nothing.
CREATE OR REPLACE FUNCTION is_within(now_at bigint, since bigint, time_window bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT since >= now_at - time_window AND since <= now_at + 5000
$$;

-- Stores a batch, in the order of the arrays. Answers a row for each message of a conversation that is known. One with
-- `refused_by` comes to a block, of its 'sender' or of its 'recipient'; another without an id has a client_id that the
-- sender has used before. Of neither anything was stored. Side 2 is the platform, whom no block stops and whose messages both
-- have to read; the first of the two then has the sender's place in what is answered.
CREATE OR REPLACE FUNCTION append_messages(
    new_keys bigint[], new_sides smallint[], new_texts text[], new_client_ids text[], new_replies bigint[],
    new_extras text[]
) RETURNS TABLE (
    place bigint, id text, seq bigint, sent_at bigint, unread bigint, total bigint,
    -- Which message it is of all that the sender, and the recipient, take part in.
    sender_position bigint, recipient_position bigint, refused_by text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    now_at bigint;
    number bigint;
    origin_digits text;
BEGIN
    PERFORM lock_writes();
    now_at := now_ms();
    UPDATE message_ids
        SET last = greatest(last, ((now_at / 1000) << 24) - 1) + cardinality(new_keys)
        RETURNING last - cardinality(new_keys), origin INTO number, origin_digits;
    RETURN QUERY
    WITH asked AS (
        SELECT a.place, a.side, a.content, a.client_id COLLATE "C" AS client_id, a.reply_to, a.extras, c.key, c.last_seq, c.updated_at,
            c.unread_a, c.unread_b,
            CASE a.side WHEN 1 THEN c.user_b ELSE c.user_a END AS sender,
            CASE a.side WHEN 1 THEN c.user_a ELSE c.user_b END AS recipient,
            CASE a.side WHEN 0 THEN c.user_a WHEN 1 THEN c.user_b ELSE 'system' END AS key_owner
        FROM unnest(new_keys, new_sides, new_texts, new_client_ids, new_replies, new_extras)
            WITH ORDINALITY AS a (key, side, content, client_id, reply_to, extras, place)
        JOIN conversations c ON c.key = a.key
    ), admitted AS (
        SELECT asked.*, CASE
            WHEN side = 2 THEN NULL
            WHEN EXISTS (SELECT 1 FROM blocks b WHERE b.blocker = sender AND b.blocked = recipient) THEN 'sender'
            WHEN EXISTS (SELECT 1 FROM blocks b WHERE b.blocker = recipient AND b.blocked = sender) THEN 'recipient'
            END AS refused_by
        FROM asked
    ), judged AS (
        SELECT admitted.*,
            refused_by IS NULL AND (client_id IS NULL OR (
                row_number() OVER (PARTITION BY key_owner, client_id, refused_by IS NULL ORDER BY place) = 1
                AND (SELECT k.seq FROM client_ids k
                     WHERE k.sender = admitted.key_owner AND k.client_id = admitted.client_id) IS NULL
            )) AS is_new
        FROM admitted
    ), placed AS MATERIALIZED (
        SELECT place, key, side, content, client_id, reply_to, extras, sender, recipient, key_owner, refused_by, is_new,
            lpad(to_hex((number + place) >> 24), 8, '0') || origin_digits
                || lpad(to_hex((number + place) & 16777215), 6, '0') AS id,
            last_seq + count(*) FILTER (WHERE is_new) OVER of_conversation AS seq,
            held_forward(now_at, updated_at) AS sent_at,
            CASE side
                WHEN 0 THEN unread_b + count(*) FILTER (WHERE is_new AND side <> 1) OVER of_conversation
                ELSE unread_a + count(*) FILTER (WHERE is_new AND side <> 0) OVER of_conversation
            END AS unread
        FROM judged
        WINDOW of_conversation AS (PARTITION BY key ORDER BY place)
    ), concerned AS MATERIALIZED (
        -- Both of each message, with what each has then.
        SELECT p.place, p.id, p.seq, p.sent_at, p.unread AS unread_here, p.refused_by, p.is_new,
            v.user_id, v.is_second,
            coalesce(t.unread, 0) + count(*) FILTER (WHERE p.is_new AND v.has_to_read) OVER of_user AS unread,
            coalesce(t.messages, 0) + count(*) FILTER (WHERE p.is_new) OVER of_user AS messages
        FROM placed p
        CROSS JOIN LATERAL (VALUES (p.sender, false, p.side = 2), (p.recipient, true, true))
            AS v (user_id, is_second, has_to_read)
        LEFT JOIN unread_totals t ON t.user_id = v.user_id
        WINDOW of_user AS (PARTITION BY v.user_id ORDER BY p.place, v.is_second)
    ), stored AS (
        INSERT INTO messages (conversation, seq, id, sender, sent_at, text, client_id, reply_to, extras)
        SELECT key, seq, id, side, sent_at, content, client_id, reply_to, extras FROM placed WHERE is_new
    ), named AS (
        INSERT INTO client_ids (sender, client_id, conversation, seq)
        SELECT key_owner, client_id, key, seq FROM placed WHERE is_new AND client_id IS NOT NULL
    ), counted AS (
        UPDATE conversations c SET last_seq = n.seq, updated_at = n.sent_at,
            unread_a = c.unread_a + n.for_a, unread_b = c.unread_b + n.for_b
        FROM (
            SELECT key, max(seq) AS seq, max(sent_at) AS sent_at,
                count(*) FILTER (WHERE side <> 0) AS for_a, count(*) FILTER (WHERE side <> 1) AS for_b
            FROM placed WHERE is_new GROUP BY key
        ) n WHERE c.key = n.key
    ), summed AS (
        INSERT INTO unread_totals (user_id, unread, messages)
        SELECT user_id, max(unread), max(messages) FROM concerned WHERE is_new GROUP BY user_id
        ON CONFLICT (user_id) DO UPDATE SET unread = excluded.unread, messages = excluded.messages
    )
    SELECT place, max(CASE WHEN is_new THEN id END), max(seq), max(sent_at), max(unread_here),
        max(unread) FILTER (WHERE is_second), max(messages) FILTER (WHERE NOT is_second),
        max(messages) FILTER (WHERE is_second), max(refused_by)
    FROM concerned GROUP BY place;
END $$;

-- For nodes of the version before, which know no extras.
CREATE OR REPLACE FUNCTION append_messages(
    new_keys bigint[], new_sides smallint[], new_texts text[], new_client_ids text[], new_replies bigint[]
) RETURNS TABLE (
    place bigint, id text, seq bigint, sent_at bigint, unread bigint, total bigint,
    sender_position bigint, recipient_position bigint, refused_by text
) LANGUAGE sql AS $$
    SELECT * FROM append_messages(new_keys, new_sides, new_texts, new_client_ids, new_replies, '{}')
$$;

-- Answers nothing if the conversation is unknown. What is newly read is counted, each message once ever; or what is left,
-- if that is less.
CREATE OR REPLACE FUNCTION mark_read(conversation_key bigint, side smallint, up_to bigint)
RETURNS TABLE (up_to_seq bigint, newly_read bigint, unread bigint, total bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    found_row conversations;
    reader text;
    read_before bigint;
    unread_before bigint;
    unread_now bigint;
    target bigint;
    sum bigint;
BEGIN
    PERFORM lock_writes();
    SELECT * INTO found_row FROM conversations WHERE key = conversation_key;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF side = 0 THEN
        reader := found_row.user_a;
        read_before := found_row.read_seq_a;
        unread_before := found_row.unread_a;
    ELSE
        reader := found_row.user_b;
        read_before := found_row.read_seq_b;
        unread_before := found_row.unread_b;
    END IF;
    target := least(up_to, found_row.last_seq);
    unread_now := unread_before;
    IF target > read_before THEN
        IF target = found_row.last_seq OR unread_before = 0 THEN
            unread_now := 0;
        ELSIF target - read_before <= found_row.last_seq - target THEN
            SELECT unread_before - count(*) INTO unread_now FROM messages
            WHERE conversation = conversation_key AND seq > read_before AND seq <= target AND sender <> side
                AND is_read IS NULL AND deleted_at IS NULL;
        ELSE
            SELECT count(*) INTO unread_now FROM messages
            WHERE conversation = conversation_key AND seq > target AND seq <= found_row.last_seq AND sender <> side
                AND is_read IS NULL AND deleted_at IS NULL;
        END IF;
        IF side = 0 THEN
            UPDATE conversations SET read_seq_a = target, unread_a = unread_now WHERE key = conversation_key;
        ELSE
            UPDATE conversations SET read_seq_b = target, unread_b = unread_now WHERE key = conversation_key;
        END IF;
    END IF;
    IF unread_now <> unread_before THEN
        UPDATE unread_totals SET unread = unread + unread_now - unread_before WHERE user_id = reader;
    END IF;
    SELECT unread INTO sum FROM unread_totals WHERE user_id = reader;
    RETURN QUERY
    SELECT greatest(target, read_before), unread_before - unread_now, unread_now, coalesce(sum, 0);
END $$;

-- Edits a message, or deletes it if there is no text. Answers nothing if there is no such message; else the outcome, what
-- the recipient has not read if that changed, and the message as it now is. Outcomes are 'done', 'gone' for a message that
-- was deleted before, 'late' for one that was not sent within the last `time_window` milliseconds (NULL is at any age), and
-- 'refused by sender'
-- or 'refused by recipient' for an edit that comes to a block. A message of the platform has two recipients: what they have not
-- read is counted, and not answered.
CREATE OR REPLACE FUNCTION apply_change(conversation_key bigint, message_seq bigint, new_text text, time_window bigint)
RETURNS TABLE (outcome text, unread bigint, total bigint, message shown_messages) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    before shown_messages;
    now_at bigint;
    result text;
    author text;
    recipient text;
    unread_now bigint;
    sum bigint;
BEGIN
    PERFORM lock_writes();
    now_at := now_ms();
    SELECT * INTO before FROM shown_messages WHERE conversation = conversation_key AND seq = message_seq;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT CASE before.sender WHEN 0 THEN user_a WHEN 1 THEN user_b END, CASE before.sender WHEN 0 THEN user_b WHEN 1 THEN user_a END
        INTO author, recipient FROM conversations WHERE key = conversation_key;
    IF new_text IS NOT NULL AND EXISTS (SELECT 1 FROM blocks WHERE blocker = author AND blocked = recipient) THEN
        result := 'refused by sender';
    ELSIF new_text IS NOT NULL AND EXISTS (SELECT 1 FROM blocks WHERE blocker = recipient AND blocked = author) THEN
        result := 'refused by recipient';
    ELSIF before.deleted_at IS NOT NULL THEN
        result := 'gone';
    ELSIF time_window IS NOT NULL AND NOT is_within(now_at, before.sent_at, time_window) THEN
        result := 'late';
    ELSE
        result := 'done';
        INSERT INTO withdrawn_texts (conversation, seq, withdrawn_at, is_deleted, text)
        VALUES (conversation_key, message_seq, now_at, new_text IS NULL, before.text);
        IF new_text IS NOT NULL THEN
            UPDATE messages SET text = new_text, edited_at = now_at
            WHERE conversation = conversation_key AND seq = message_seq;
        ELSE
            UPDATE messages SET text = '', extras = NULL, deleted_at = now_at
            WHERE conversation = conversation_key AND seq = message_seq;
            UPDATE conversations SET deleted = deleted + 1 WHERE key = conversation_key;
            IF NOT before.is_read THEN
                UPDATE conversations SET
                    unread_a = unread_a - (before.sender <> 0 AND message_seq > read_seq_a)::integer,
                    unread_b = unread_b - (before.sender <> 1 AND message_seq > read_seq_b)::integer
                WHERE key = conversation_key
                RETURNING CASE before.sender WHEN 0 THEN unread_b WHEN 1 THEN unread_a END INTO unread_now;
                UPDATE unread_totals t SET unread = t.unread - 1 FROM conversations c
                WHERE c.key = conversation_key AND t.user_id IN (
                    CASE WHEN before.sender <> 0 AND message_seq > c.read_seq_a THEN c.user_a END,
                    CASE WHEN before.sender <> 1 AND message_seq > c.read_seq_b THEN c.user_b END);
                SELECT unread INTO sum FROM unread_totals WHERE user_id = recipient;
            END IF;
        END IF;
    END IF;
    RETURN QUERY
    SELECT result, unread_now, sum, m FROM shown_messages m
    WHERE m.conversation = conversation_key AND m.seq = message_seq;
END $$;

-- For nodes of the version before, which call it by this name.
CREATE OR REPLACE FUNCTION change_message_within(
    conversation_key bigint, message_seq bigint, new_text text, time_window bigint
) RETURNS TABLE (
    outcome text, unread bigint, total bigint,
    id text, seq bigint, sender smallint, text text, is_read boolean, sent_at bigint, client_id text,
    edited_at bigint, deleted_at bigint
) LANGUAGE sql AS $$
    SELECT c.outcome, c.unread, c.total, m.id, m.seq, m.sender, m.text, m.is_read, m.sent_at, m.client_id,
        m.edited_at, m.deleted_at
    FROM apply_change(conversation_key, message_seq, new_text, time_window) c CROSS JOIN LATERAL (SELECT (c.message).*) m
$$;

-- Notes up to where messages have reached a device; never back.
CREATE OR REPLACE FUNCTION set_delivered(new_keys bigint[], new_sides smallint[], new_seqs bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_writes();
    UPDATE conversations c SET
        delivered_seq_a = greatest(c.delivered_seq_a, d.to_a), delivered_seq_b = greatest(c.delivered_seq_b, d.to_b)
    FROM (
        SELECT n.key, max(n.seq) FILTER (WHERE n.side = 0) AS to_a, max(n.seq) FILTER (WHERE n.side = 1) AS to_b
        FROM unnest(new_keys, new_sides, new_seqs) AS n (key, side, seq) GROUP BY n.key
    ) d WHERE c.key = d.key AND (d.to_a > c.delivered_seq_a OR d.to_b > c.delivered_seq_b);
END $$;

-- What no version calls any more.
DROP FUNCTION IF EXISTS change_message(bigint, bigint, text, bigint);
DROP FUNCTION IF EXISTS append_messages(bigint[], smallint[], text[], text[]);
