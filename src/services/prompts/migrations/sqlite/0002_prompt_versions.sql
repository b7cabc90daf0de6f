-- Prompts are their versions; the name of one exists as soon as it has the first.
CREATE TABLE prompt_versions (
    org_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    messages TEXT NOT NULL,
    model TEXT NOT NULL,
    parameters TEXT NOT NULL,
    variables TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, project_id, name, version)
) STRICT;

CREATE TRIGGER prompt_versions_never_change BEFORE UPDATE ON prompt_versions
BEGIN
    SELECT RAISE(ABORT, 'versions never change');
END;

CREATE TABLE prompt_labels (
    org_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    version INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, project_id, name, label),
    FOREIGN KEY (org_id, project_id, name, version)
        REFERENCES prompt_versions (org_id, project_id, name, version)
) STRICT;
