-- The same tables as in migrations/sqlite, of which see for what is not said here. Times are milliseconds since
-- 1970. Ids compare by their bytes (COLLATE "C"), whatever the database's language is.
--
-- Several nodes write. Whatever changes conversations, messages or counts first takes one lock (lock_writes),
-- to the commit: so sequence numbers have no holes, ids ascend in the order of commits, and nobody waits for
-- each other in a circle.

CREATE TABLE horse_trust_schema (version integer NOT NULL);
INSERT INTO horse_trust_schema VALUES (0);

CREATE TABLE users (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    email text COLLATE "C" NOT NULL UNIQUE,
    password_hash text NOT NULL,
    role text NOT NULL,
    full_name text,
    phone text,
    profile_picture_url text,
    is_active boolean NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE conversations (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    user_a text COLLATE "C" NOT NULL,
    user_b text COLLATE "C" NOT NULL,
    horse_id text COLLATE "C",
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    read_seq_a bigint NOT NULL DEFAULT 0,
    read_seq_b bigint NOT NULL DEFAULT 0,
    delivered_seq_a bigint NOT NULL DEFAULT 0,
    delivered_seq_b bigint NOT NULL DEFAULT 0,
    unread_a bigint NOT NULL DEFAULT 0,
    unread_b bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0
    -- Room for new versions of a row on its page: without a change to an index, that is all an update costs.
) WITH (fillfactor = 50);

CREATE INDEX conversations_by_users ON conversations (user_a, user_b);
CREATE INDEX conversations_by_user_b ON conversations (user_b);

CREATE TABLE messages (
    conversation bigint NOT NULL,
    seq bigint NOT NULL,
    sent_at bigint NOT NULL,
    read_at bigint,
    edited_at bigint,
    deleted_at bigint,
    sender smallint NOT NULL,
    is_read boolean,
    id text COLLATE "C" NOT NULL,
    text text NOT NULL,
    client_id text COLLATE "C",
    PRIMARY KEY (conversation, seq)
);

CREATE UNIQUE INDEX messages_by_id ON messages (id);

-- How many messages each user has not read in all conversations, and how many there are in all: always the sums over
-- the conversations.
CREATE TABLE unread_totals (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    unread bigint NOT NULL,
    messages bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE client_ids (
    sender text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    conversation bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (sender, client_id)
);

-- One row: the last id that was made, as seconds * 2^24 + counter, and what all ids of this database have between
-- the two.
CREATE TABLE message_ids (
    last bigint NOT NULL,
    origin text NOT NULL
) WITH (fillfactor = 10);
INSERT INTO message_ids VALUES (0, substr(md5(gen_random_uuid()::text), 1, 10));

CREATE TABLE imported_last_messages (
    conversation bigint NOT NULL PRIMARY KEY,
    sender text COLLATE "C" NOT NULL,
    sent_at bigint NOT NULL,
    text text NOT NULL,
    is_read boolean NOT NULL
);

CREATE TABLE withdrawn_texts (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation bigint NOT NULL,
    seq bigint NOT NULL,
    withdrawn_at bigint NOT NULL,
    is_deleted boolean NOT NULL,
    text text NOT NULL
);
CREATE INDEX withdrawn_texts_by_message ON withdrawn_texts (conversation, seq);
CREATE INDEX withdrawn_texts_by_time ON withdrawn_texts (withdrawn_at);

CREATE TABLE blocks (
    blocker text COLLATE "C" NOT NULL,
    blocked text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (blocker, blocked)
);

CREATE TABLE reports (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    reporter text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    reported_at bigint NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    sent_at bigint NOT NULL,
    text text NOT NULL
);

CREATE TABLE revocations (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    not_before bigint NOT NULL
);

CREATE TABLE last_seen (
    user_id text COLLATE "C" NOT NULL PRIMARY KEY,
    at bigint NOT NULL
);

-- A message as it is shown: deleted ones (an import brings them with their text) without text.
CREATE VIEW shown_messages AS
SELECT m.conversation, m.id, m.seq, m.sender,
    CASE WHEN m.deleted_at IS NULL THEN m.text ELSE '' END AS text,
    m.is_read IS TRUE OR m.seq <= CASE m.sender WHEN 0 THEN c.read_seq_b ELSE c.read_seq_a END AS is_read,
    m.sent_at, m.client_id, m.edited_at, m.deleted_at
FROM messages m JOIN conversations c ON c.key = m.conversation;

-- The clock of the database: those of the nodes may differ.
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

CREATE FUNCTION lock_writes() RETURNS void LANGUAGE sql VOLATILE AS $$
    SELECT pg_advisory_xact_lock(1215517810, 1)
$$;

-- Stores a batch, in the order of the arrays. Answers a row for each message of a conversation that is known; one
-- without an id repeats a sender's name for a message, and nothing was stored.
CREATE FUNCTION append_messages(
    new_keys bigint[], new_sides smallint[], new_texts text[], new_client_ids text[]
) RETURNS TABLE (
    place bigint, id text, seq bigint, sent_at bigint, unread bigint, total bigint,
    -- Which message it is of all that the sender, and the recipient, take part in.
    sender_position bigint, recipient_position bigint
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
        SELECT a.place, a.side, a.content, a.client_id COLLATE "C" AS client_id, c.key, c.last_seq, c.updated_at,
            CASE a.side WHEN 0 THEN c.user_a ELSE c.user_b END AS sender,
            CASE a.side WHEN 0 THEN c.user_b ELSE c.user_a END AS recipient,
            CASE a.side WHEN 0 THEN c.unread_b ELSE c.unread_a END AS unread
        FROM unnest(new_keys, new_sides, new_texts, new_client_ids)
            WITH ORDINALITY AS a (key, side, content, client_id, place)
        JOIN conversations c ON c.key = a.key
    ), judged AS (
        SELECT asked.*,
            client_id IS NULL OR (
                row_number() OVER (PARTITION BY sender, client_id ORDER BY place) = 1
                AND (SELECT k.seq FROM client_ids k
                     WHERE k.sender = asked.sender AND k.client_id = asked.client_id) IS NULL
            ) AS is_new
        FROM asked
    ), placed AS MATERIALIZED (
        SELECT place, key, side, content, client_id, sender, recipient, is_new,
            lpad(to_hex((number + place) >> 24), 8, '0') || origin_digits
                || lpad(to_hex((number + place) & 16777215), 6, '0') AS id,
            last_seq + count(*) FILTER (WHERE is_new) OVER (PARTITION BY key ORDER BY place) AS seq,
            -- Time in a conversation does not run backwards, also when the clock is set back.
            greatest(now_at, updated_at) AS sent_at,
            unread + count(*) FILTER (WHERE is_new) OVER (PARTITION BY key, side ORDER BY place) AS unread
        FROM judged
    ), concerned AS MATERIALIZED (
        -- Both of each message, with what each has then.
        SELECT p.place, p.id, p.seq, p.sent_at, p.unread AS unread_here, p.is_new, v.user_id, v.is_recipient,
            coalesce(t.unread, 0) + count(*) FILTER (WHERE p.is_new AND v.is_recipient) OVER of_user AS unread,
            coalesce(t.messages, 0) + count(*) FILTER (WHERE p.is_new) OVER of_user AS messages
        FROM placed p
        CROSS JOIN LATERAL (VALUES (p.sender, false), (p.recipient, true)) AS v (user_id, is_recipient)
        LEFT JOIN unread_totals t ON t.user_id = v.user_id
        WINDOW of_user AS (PARTITION BY v.user_id ORDER BY p.place, v.is_recipient)
    ), stored AS (
        INSERT INTO messages (conversation, seq, id, sender, sent_at, text, client_id)
        SELECT key, seq, id, side, sent_at, content, client_id FROM placed WHERE is_new
    ), named AS (
        INSERT INTO client_ids (sender, client_id, conversation, seq)
        SELECT sender, client_id, key, seq FROM placed WHERE is_new AND client_id IS NOT NULL
    ), counted AS (
        UPDATE conversations c SET last_seq = n.seq, updated_at = n.sent_at,
            unread_a = c.unread_a + n.by_b, unread_b = c.unread_b + n.by_a
        FROM (
            SELECT key, max(seq) AS seq, max(sent_at) AS sent_at,
                count(*) FILTER (WHERE side = 0) AS by_a, count(*) FILTER (WHERE side = 1) AS by_b
            FROM placed WHERE is_new GROUP BY key
        ) n WHERE c.key = n.key
    ), summed AS (
        INSERT INTO unread_totals (user_id, unread, messages)
        SELECT user_id, max(unread), max(messages) FROM concerned WHERE is_new GROUP BY user_id
        ON CONFLICT (user_id) DO UPDATE SET unread = excluded.unread, messages = excluded.messages
    )
    SELECT place, max(CASE WHEN is_new THEN id END), max(seq), max(sent_at), max(unread_here),
        max(unread) FILTER (WHERE is_recipient), max(messages) FILTER (WHERE NOT is_recipient),
        max(messages) FILTER (WHERE is_recipient)
    FROM concerned GROUP BY place;
END $$;

-- Answers nothing if the conversation is unknown.
CREATE FUNCTION mark_read(conversation_key bigint, side smallint, up_to bigint)
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
        IF target = found_row.last_seq THEN
            unread_now := 0;
        ELSE
            SELECT count(*) INTO unread_now FROM messages
            WHERE conversation = conversation_key AND seq > target AND sender <> side
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

-- Edits a message, or deletes it if there is no text. Answers nothing if there is no such message, else what came
-- of it ('done', 'gone', 'late'), what its recipient has not read if that changed, and the message as it now is.
CREATE FUNCTION change_message(conversation_key bigint, message_seq bigint, new_text text, not_before bigint)
RETURNS TABLE (
    outcome text, unread bigint, total bigint,
    id text, seq bigint, sender smallint, text text, is_read boolean, sent_at bigint, client_id text,
    edited_at bigint, deleted_at bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    before shown_messages;
    now_at bigint;
    came_of text;
    recipient text;
    unread_now bigint;
    sum bigint;
BEGIN
    PERFORM lock_writes();
    SELECT * INTO before FROM shown_messages WHERE conversation = conversation_key AND seq = message_seq;
    IF NOT FOUND THEN
        RETURN;
    ELSIF before.deleted_at IS NOT NULL THEN
        came_of := 'gone';
    ELSIF before.sent_at < not_before THEN
        came_of := 'late';
    ELSE
        came_of := 'done';
        now_at := now_ms();
        INSERT INTO withdrawn_texts (conversation, seq, withdrawn_at, is_deleted, text)
        VALUES (conversation_key, message_seq, now_at, new_text IS NULL, before.text);
        IF new_text IS NOT NULL THEN
            UPDATE messages SET text = new_text, edited_at = now_at
            WHERE conversation = conversation_key AND seq = message_seq;
        ELSE
            UPDATE messages SET text = '', deleted_at = now_at
            WHERE conversation = conversation_key AND seq = message_seq;
            UPDATE conversations SET deleted = deleted + 1 WHERE key = conversation_key;
            IF NOT before.is_read THEN
                IF before.sender = 0 THEN
                    UPDATE conversations SET unread_b = unread_b - 1 WHERE key = conversation_key
                    RETURNING user_b, unread_b INTO recipient, unread_now;
                ELSE
                    UPDATE conversations SET unread_a = unread_a - 1 WHERE key = conversation_key
                    RETURNING user_a, unread_a INTO recipient, unread_now;
                END IF;
                UPDATE unread_totals SET unread = unread - 1 WHERE user_id = recipient RETURNING unread INTO sum;
            END IF;
        END IF;
    END IF;
    RETURN QUERY
    SELECT came_of, unread_now, sum, m.id, m.seq, m.sender, m.text, m.is_read, m.sent_at, m.client_id,
        m.edited_at, m.deleted_at
    FROM shown_messages m WHERE m.conversation = conversation_key AND m.seq = message_seq;
END $$;

CREATE FUNCTION set_delivered(new_keys bigint[], new_sides smallint[], new_seqs bigint[]) RETURNS void
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

-- The oldest conversation of these two about that horse (an import may have brought several), made if there is
-- none.
CREATE FUNCTION open_conversation(new_id text, one text, other text, horse text) RETURNS SETOF conversations
LANGUAGE plpgsql AS $$
BEGIN
    -- Both may ask at once, on different nodes.
    PERFORM pg_advisory_xact_lock(1215517811, hashtext(least(one, other) || ' ' || greatest(one, other)));
    RETURN QUERY
    SELECT * FROM conversations
    WHERE ((user_a = one AND user_b = other) OR (user_a = other AND user_b = one))
        AND horse_id IS NOT DISTINCT FROM horse
    ORDER BY created_at, key LIMIT 1;
    IF NOT FOUND THEN
        RETURN QUERY
        INSERT INTO conversations (id, user_a, user_b, horse_id, created_at, updated_at)
        SELECT new_id, one, other, horse, n.at, n.at FROM (SELECT now_ms() AS at) n
        RETURNING *;
    END IF;
END $$;

-- What came after a message in a user's conversations: of each conversation with messages a row without `seq`, and
-- one for each message that is not deleted, newest first, until there are more than `most`. In the message's own
-- conversation that is what has a greater sequence number, in the others what has a greater id.
CREATE FUNCTION missed_messages(asking text, after_id text, most bigint)
RETURNS TABLE (conversation bigint, last_seq bigint, seq bigint) LANGUAGE plpgsql STABLE ROWS 50 AS $$
#variable_conflict use_column
DECLARE
    after_conversation bigint;
    after_seq bigint;
    is_own boolean;
    counted bigint := 0;
    c record;
    m record;
BEGIN
    SELECT conversation, seq INTO after_conversation, after_seq FROM messages WHERE id = after_id;
    FOR c IN
        SELECT key, last_seq FROM conversations
        WHERE (user_a = asking OR user_b = asking) AND last_seq > 0
    LOOP
        conversation := c.key;
        last_seq := c.last_seq;
        seq := NULL;
        RETURN NEXT;
        is_own := c.key IS NOT DISTINCT FROM after_conversation;
        FOR m IN
            SELECT seq, deleted_at, id <= after_id AS is_known FROM messages
            WHERE conversation = c.key AND seq > CASE WHEN is_own THEN after_seq ELSE 0 END
            ORDER BY seq DESC
        LOOP
            EXIT WHEN m.is_known AND NOT is_own;
            CONTINUE WHEN m.deleted_at IS NOT NULL;
            seq := m.seq;
            RETURN NEXT;
            counted := counted + 1;
            EXIT WHEN counted > most;
        END LOOP;
    END LOOP;
END $$;
