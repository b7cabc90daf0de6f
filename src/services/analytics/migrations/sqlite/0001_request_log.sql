-- The last event of each source that was applied, so that each has its effect once and in order.
CREATE TABLE inbox (
    consumer TEXT NOT NULL,
    source TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (consumer, source)
) STRICT, WITHOUT ROWID;

-- Events that cannot be read: kept for whoever looks, since waiting for them would stop the log.
CREATE TABLE dead_letters (
    source TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    why TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (source, sequence)
) STRICT, WITHOUT ROWID;

-- One row per request. `summary` and `details` are two parts of one analytics.v1.Request.
CREATE TABLE requests (
    org_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    model TEXT NOT NULL,
    status TEXT NOT NULL,
    key_id TEXT NOT NULL,
    cost INTEGER NOT NULL,
    is_told INTEGER NOT NULL,
    summary TEXT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
) STRICT;
CREATE INDEX requests_by_model ON requests (project_id, model, id);
CREATE INDEX requests_by_key ON requests (project_id, key_id, id);
CREATE INDEX requests_by_status ON requests (project_id, status, id) WHERE status <> 'completed';

-- What was settled, by UTC day (since 1970), model and key; outlives the requests.
CREATE TABLE usage_days (
    org_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    model TEXT NOT NULL,
    key_id TEXT NOT NULL,
    requests INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (org_id, project_id, day, model, key_id)
) STRICT, WITHOUT ROWID;
