CREATE TABLE organizations (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE projects (
    org_id TEXT NOT NULL REFERENCES organizations (id),
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, id)
) STRICT;

CREATE TABLE users (
    org_id TEXT NOT NULL REFERENCES organizations (id),
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, id)
) STRICT;

-- A key is found by the SHA-256 of its text; the text itself is nowhere.
CREATE TABLE api_keys (
    org_id TEXT NOT NULL REFERENCES organizations (id),
    project_id TEXT NOT NULL REFERENCES projects (id),
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    last4 TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, project_id, id)
) STRICT;

-- At most one row. completed_at 0: the run that made the key never printed it.
CREATE TABLE first_run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    org_id TEXT NOT NULL REFERENCES organizations (id),
    key_id TEXT NOT NULL,
    completed_at INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
