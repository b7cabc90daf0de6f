-- Prices of models; a change is a new version.
CREATE TABLE prices (
    version INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    input INTEGER NOT NULL CHECK (input >= 0),
    output INTEGER NOT NULL CHECK (output >= 0),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX prices_by_model ON prices (model, version);

-- Balances: the fold of the transfers. The operator's accounts have no organization.
CREATE TABLE accounts (
    org_id TEXT NOT NULL,
    name TEXT NOT NULL CHECK (name IN ('prepaid', 'issued', 'revenue', 'writeoff')),
    id INTEGER NOT NULL UNIQUE,
    debits_pending INTEGER NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted INTEGER NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending INTEGER NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted INTEGER NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
    PRIMARY KEY (org_id, name)
) STRICT;
INSERT INTO accounts (org_id, name, id) VALUES ('', 'issued', 1), ('', 'revenue', 2), ('', 'writeoff', 3);

-- The log: only ever added to. A slot of a reference is filled once.
CREATE TABLE transfers (
    seq INTEGER PRIMARY KEY,
    org_id TEXT NOT NULL,
    id TEXT NOT NULL,
    reference TEXT NOT NULL,
    slot INTEGER NOT NULL,
    kind TEXT NOT NULL,
    debit_account INTEGER NOT NULL,
    credit_account INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    posted INTEGER NOT NULL CHECK (posted >= 0),
    at INTEGER NOT NULL,
    description TEXT NOT NULL,
    price_version INTEGER,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cached_tokens INTEGER,
    reasoning_tokens INTEGER,
    is_estimated INTEGER,
    project_id TEXT,
    key_id TEXT
) STRICT;
CREATE UNIQUE INDEX transfers_by_reference ON transfers (reference, slot);
-- What the statement of an organization shows; ids grow in commit order.
CREATE INDEX entries ON transfers (org_id, id) WHERE kind IN ('grant', 'usage', 'overrun');

-- Holds that are open; each has its transfer above.
CREATE TABLE holds (
    request_id TEXT PRIMARY KEY,
    hold_id TEXT NOT NULL,
    org_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    model TEXT NOT NULL,
    owner TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    output_tokens INTEGER NOT NULL,
    price_version INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    request_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (project_id, key)
) STRICT;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
