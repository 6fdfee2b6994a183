-- The sequence number of the message in the same conversation that a message replies to. Of its text no copy is kept.
ALTER TABLE messages ADD COLUMN reply_to bigint;
