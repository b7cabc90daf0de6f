-- What a request that runs has used so far, or what is still to be settled; gone when it is settled.
CREATE TABLE journal (
    request_id TEXT PRIMARY KEY,
    settle TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Answers of requests with an idempotency key, kept for a day.
CREATE TABLE outcomes (
    org_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    request_id TEXT NOT NULL PRIMARY KEY,
    settle TEXT NOT NULL,
    answer TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outcomes_by_age ON outcomes (expires_at);
