-- How far each webhook was told of events, and who tells it at present.
CREATE TABLE webhooks (
    id                  TEXT PRIMARY KEY,               -- SHA-256 of the address
    address             TEXT NOT NULL,                  -- without user, password and query
    cursor              TEXT NOT NULL,                  -- the place in the change feed after the last event it took
    failures            BIGINT NOT NULL,                -- in a row
    dropped             BIGINT NOT NULL,                -- events that were given up
    last_error          TEXT,                           -- in one sentence; NULL where the last one was taken
    next_at             TIMESTAMPTZ NOT NULL,           -- not before
    holder              TEXT,                           -- the process that tells it
    held_until          TIMESTAMPTZ,
    updated_at          TIMESTAMPTZ NOT NULL
);
