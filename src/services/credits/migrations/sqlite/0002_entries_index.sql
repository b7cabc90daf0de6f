-- The same rows as before. SQLite makes a table of its own for a list of three at every insertion,
-- and none for conditions one by one.
DROP INDEX entries;
CREATE INDEX entries ON transfers (org_id, id) WHERE kind = 'grant' OR kind = 'usage' OR kind = 'overrun';
