-- What the platform shows of a horse: in one conversation, or in all about the horse. Of the two rows that a conversation may
-- have, the one with the greater number counts; every change takes a new number. So a change for a horse is one row, however
-- many conversations are about it.
CREATE TABLE listings (
    number bigint GENERATED ALWAYS AS IDENTITY,
    conversation bigint UNIQUE,
    horse_id text COLLATE "C" UNIQUE,
    -- JSON; NULL if it was taken away.
    listing text
);
CREATE INDEX conversations_by_horse ON conversations (horse_id, key) WHERE horse_id IS NOT NULL;
