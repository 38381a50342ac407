-- What happened, for listeners in any process: the outbox that the change feed reads. A row is written in the same
-- transaction as what it tells of.
CREATE TABLE events (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so that a listener's place stays valid
    kind            TEXT NOT NULL,                      -- generation.completed, session.updated, …
    subject         TEXT NOT NULL,                      -- the id of what it happened to; events of one are in order
    body            JSONB NOT NULL,                     -- ids and figures, never what was said
    created_at      TIMESTAMPTZ NOT NULL
);
