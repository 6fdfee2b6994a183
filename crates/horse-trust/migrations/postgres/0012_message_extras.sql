-- The optional parts of a message that no statement looks into, as JSON; NULL if there are none.
ALTER TABLE messages ADD COLUMN extras text;
