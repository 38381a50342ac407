-- What happened, for listeners in any process: the outbox that the change feed reads. A row is written in the same
-- transaction as what it tells of.
CREATE TABLE events (
    seq             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            TEXT NOT NULL,                      -- generation.completed, session.updated, …
    subject         TEXT NOT NULL,                      -- the id of what it happened to; events of one are in order
    body            JSONB NOT NULL,                     -- ids and figures, never what was said
    created_at      TIMESTAMPTZ NOT NULL
);

-- One row per transaction of ours, in it: whoever lost the connection at the commit runs the transaction again with
-- the same id, and learns from its row whether the first one was kept. Rows of more than an hour ago are deleted.
CREATE TABLE commits (
    id              TEXT PRIMARY KEY,                   -- UUIDv7
    at              TIMESTAMPTZ NOT NULL
);
