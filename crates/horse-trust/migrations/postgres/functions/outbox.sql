-- The outbox: what is added by the writes, and what becomes of it.

-- Adds an event for each of these subscribers. The caller has the lock of all writes, so numbers ascend in the order of
-- commits.
CREATE OR REPLACE FUNCTION add_to_outbox(
    to_subscribers smallint[], event_kind smallint, event_lane bigint, message_seq bigint, happened_at bigint,
    unread_total bigint, event_detail text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    event_number bigint;
BEGIN
    IF cardinality(to_subscribers) = 0 THEN
        RETURN;
    END IF;
    event_number := nextval('outbox_numbers');
    INSERT INTO outbox (subscriber, number, lane, kind, seq, at, unread, detail)
    SELECT s, event_number, event_lane, event_kind, message_seq, happened_at, unread_total, event_detail
    FROM unnest(to_subscribers) AS s;
END $$;

-- One of the two has unread messages that they had not before. A conversation that is watched already stays as it is, and
-- so does one whose event was added, until that message is read. Without a time nobody subscribes to it.
CREATE OR REPLACE FUNCTION watch_unread(conversation_key bigint, reader_side smallint, after_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF after_ms IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO unseen AS u (conversation, side, due_at) VALUES (conversation_key, reader_side, now_ms() + after_ms)
    ON CONFLICT (conversation, side) DO UPDATE SET due_at = excluded.due_at, notified_seq = NULL
    WHERE u.due_at IS NULL AND coalesce(u.notified_seq, 0) <= (
        SELECT CASE reader_side WHEN 0 THEN c.read_seq_a ELSE c.read_seq_b END
        FROM conversations c WHERE c.key = conversation_key);
END $$;

-- What a message that was stored adds: its event, and that its recipient has something to read.
CREATE OR REPLACE FUNCTION add_message_to_outbox(
    to_subscribers smallint[], after_ms bigint, conversation_key bigint, sender_side smallint, message_seq bigint,
    stored_at bigint, unread_here bigint, unread_total bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_to_outbox(
        to_subscribers, 1::smallint, conversation_key, message_seq, stored_at,
        CASE WHEN sender_side < 2 THEN unread_total END, NULL);
    IF sender_side = 2 THEN
        -- Of the platform, whom both read.
        PERFORM watch_unread(conversation_key, 0::smallint, after_ms);
        PERFORM watch_unread(conversation_key, 1::smallint, after_ms);
    ELSIF unread_here = 1 THEN
        PERFORM watch_unread(conversation_key, (1 - sender_side)::smallint, after_ms);
    END IF;
END $$;

-- open_conversation, which also adds the event of one that is made.
CREATE OR REPLACE FUNCTION open_conversation_with_event(
    new_id text, one text, other text, horse text, to_subscribers smallint[]
) RETURNS SETOF conversations LANGUAGE plpgsql AS $$
DECLARE
    opened conversations;
BEGIN
    PERFORM lock_writes();
    FOR opened IN SELECT * FROM open_conversation(new_id, one, other, horse) LOOP
        IF opened.id = new_id THEN
            PERFORM add_to_outbox(
                to_subscribers, 5::smallint, opened.key, 0, opened.created_at, NULL, NULL);
        END IF;
        RETURN NEXT opened;
    END LOOP;
END $$;

-- set_block, which also adds the event if that changes something. `blocked_to` and `unblocked_to` are who wants which.
CREATE OR REPLACE FUNCTION set_block_with_event(
    by_user text, other text, is_blocked boolean, event_lane bigint, blocked_to smallint[], unblocked_to smallint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    was_blocked boolean;
BEGIN
    PERFORM lock_writes();
    was_blocked := EXISTS (SELECT 1 FROM blocks WHERE blocker = by_user AND blocked = other);
    PERFORM set_block(by_user, other, is_blocked);
    IF is_blocked AND NOT was_blocked THEN
        PERFORM add_to_outbox(blocked_to, 7::smallint, event_lane, 0, now_ms(), NULL, by_user || ' ' || other);
    ELSIF was_blocked AND NOT is_blocked THEN
        PERFORM add_to_outbox(unblocked_to, 8::smallint, event_lane, 0, now_ms(), NULL, by_user || ' ' || other);
    END IF;
END $$;

-- The event of a report that was stored.
CREATE OR REPLACE FUNCTION add_report_to_outbox(
    to_subscribers smallint[], report_id text, conversation_key bigint, message_seq bigint
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_writes();
    PERFORM add_to_outbox(to_subscribers, 6::smallint, conversation_key, message_seq, now_ms(), NULL, report_id);
END $$;

-- Takes the lease of a name, or prolongs it; false while another holder has it.
CREATE OR REPLACE FUNCTION take_lease(lease_name text, new_holder text, for_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox_leases AS l (name, holder, leased_until) VALUES (lease_name, new_holder, now_ms() + for_ms)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, leased_until = excluded.leased_until
    WHERE l.holder = new_holder OR l.leased_until <= now_ms();
    RETURN FOUND;
END $$;

-- Stores what became of events. Outcomes are 0 for done, 1 for one that waits behind another, 2 for one that is tried again
-- after `delays` milliseconds, and 3 for one that is given up. When the first one that waits in a lane is done or given up,
-- the next one is due.
CREATE OR REPLACE FUNCTION settle_outbox(
    of_subscriber smallint, numbers bigint[], lanes bigint[], are_waiting boolean[], outcomes smallint[], delays bigint[],
    errors text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    now_at bigint := now_ms();
    taken outbox_waiting;
    i integer;
BEGIN
    FOR i IN 1 .. cardinality(numbers) LOOP
        IF are_waiting[i] THEN
            IF outcomes[i] = 2 THEN
                UPDATE outbox_waiting SET attempts = attempts + 1, due_at = now_at + delays[i], error = errors[i]
                WHERE subscriber = of_subscriber AND lane = lanes[i] AND number = numbers[i];
                CONTINUE;
            END IF;
            DELETE FROM outbox_waiting
            WHERE subscriber = of_subscriber AND lane = lanes[i] AND number = numbers[i] RETURNING * INTO taken;
        ELSE
            DELETE FROM outbox WHERE subscriber = of_subscriber AND number = numbers[i]
            RETURNING lane, number, seq, at, NULL, unread, 0, subscriber, kind, detail, NULL INTO taken;
        END IF;
        -- A node that had the lease before may have settled it.
        CONTINUE WHEN taken.number IS NULL OR outcomes[i] = 0;
        IF outcomes[i] = 3 THEN
            INSERT INTO outbox_given_up (number, lane, seq, at, given_up_at, unread, attempts, subscriber, kind, detail, error)
            VALUES (taken.number, taken.lane, taken.seq, taken.at, now_at, taken.unread, taken.attempts + 1,
                taken.subscriber, taken.kind, taken.detail, errors[i])
            ON CONFLICT (subscriber, number) DO NOTHING;
        ELSE
            taken.attempts := taken.attempts + (outcomes[i] = 2)::int;
            taken.due_at := CASE WHEN outcomes[i] = 2 THEN now_at + delays[i] END;
            taken.error := errors[i];
            INSERT INTO outbox_waiting SELECT taken.*;
        END IF;
    END LOOP;
    UPDATE outbox_waiting w SET due_at = now_at FROM (
        SELECT f.lane, (
            SELECT min(o.number) FROM outbox_waiting o WHERE o.subscriber = of_subscriber AND o.lane = f.lane) AS number
        FROM (
            SELECT DISTINCT s.lane FROM unnest(lanes, are_waiting, outcomes) AS s (lane, is_waiting, outcome)
            WHERE s.is_waiting AND s.outcome IN (0, 3)
        ) f
    ) first
    WHERE w.subscriber = of_subscriber AND w.lane = first.lane AND w.number = first.number AND w.due_at IS NULL;
END $$;

-- Gives up the oldest events that wait, up to `surplus`: of those that are put aside, and of new ones if none is. Answers how
-- many.
CREATE OR REPLACE FUNCTION give_up_oldest(of_subscriber smallint, surplus bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    numbers bigint[];
    lanes bigint[];
    found bigint;
    are_waiting boolean := true;
BEGIN
    SELECT array_agg(number), array_agg(lane), count(*) INTO numbers, lanes, found FROM (
        SELECT number, lane FROM outbox_waiting WHERE subscriber = of_subscriber ORDER BY number LIMIT surplus) oldest;
    IF found = 0 THEN
        are_waiting := false;
        SELECT array_agg(number), array_agg(lane), count(*) INTO numbers, lanes, found FROM (
            SELECT number, lane FROM outbox WHERE subscriber = of_subscriber ORDER BY number LIMIT surplus) oldest;
    END IF;
    IF found > 0 THEN
        PERFORM settle_outbox(of_subscriber, numbers, lanes, array_fill(are_waiting, ARRAY[found::int]),
            array_fill(3::smallint, ARRAY[found::int]), array_fill(0::bigint, ARRAY[found::int]),
            array_fill('too many events wait'::text, ARRAY[found::int]));
    END IF;
    RETURN found;
END $$;

-- Conversations in which somebody may have been away for long enough: the first message that they have not read, and when
-- it was sent; when their last device disconnected.
CREATE OR REPLACE FUNCTION unseen_due(most bigint) RETURNS TABLE (
    conversation bigint, side smallint, first_seq bigint, first_ago bigint, seen_ago bigint
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    now_at bigint := now_ms();
BEGIN
    RETURN QUERY
    SELECT u.conversation, u.side, m.seq, now_at - m.sent_at, now_at - s.at
    FROM (SELECT * FROM unseen WHERE due_at <= now_at ORDER BY due_at LIMIT most) u
    JOIN conversations c ON c.key = u.conversation
    LEFT JOIN LATERAL (
        SELECT seq, sent_at FROM messages
        WHERE conversation = u.conversation AND seq > CASE u.side WHEN 0 THEN c.read_seq_a ELSE c.read_seq_b END
            AND sender <> u.side AND is_read IS NULL AND deleted_at IS NULL
        ORDER BY seq LIMIT 1
    ) m ON true
    LEFT JOIN last_seen s ON s.user_id = CASE u.side WHEN 0 THEN c.user_a ELSE c.user_b END;
END $$;

-- Stores what became of them: without a sequence number and without a delay all is read; with a delay they are looked at
-- again; else an event is added for the message.
CREATE OR REPLACE FUNCTION settle_unseen(
    to_subscribers smallint[], keys bigint[], sides smallint[], recipients text[], notified bigint[], delays bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    i integer;
BEGIN
    PERFORM lock_writes();
    FOR i IN 1 .. cardinality(keys) LOOP
        IF delays[i] IS NOT NULL THEN
            UPDATE unseen SET due_at = now_ms() + delays[i], notified_seq = NULL
            WHERE conversation = keys[i] AND side = sides[i];
        ELSIF notified[i] IS NULL THEN
            DELETE FROM unseen WHERE conversation = keys[i] AND side = sides[i];
        ELSE
            UPDATE unseen SET due_at = NULL, notified_seq = notified[i]
            WHERE conversation = keys[i] AND side = sides[i] AND due_at IS NOT NULL;
            IF FOUND THEN
                PERFORM add_to_outbox(
                    to_subscribers, 4::smallint, keys[i], notified[i], now_ms(), NULL, recipients[i]);
            END IF;
        END IF;
    END LOOP;
END $$;
