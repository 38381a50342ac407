-- Conversations with a time to live, and what was said in them.
CREATE TABLE sessions (
    id              TEXT PRIMARY KEY,                   -- UUIDv7
    title           TEXT,
    user_id         TEXT,
    origin          TEXT,
    context         JSONB NOT NULL,                     -- the application's own data
    ttl_seconds     BIGINT NOT NULL,                    -- each use moves expires_at this far ahead
    created_at      TIMESTAMPTZ NOT NULL,
    used_at         TIMESTAMPTZ NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    parent_id       TEXT,                               -- the session it was forked from
    parent_at       BIGINT                              -- how many of its messages were taken over
);
CREATE INDEX sessions_by_user ON sessions (user_id, used_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE messages (
    session_id      TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    position        BIGINT NOT NULL,                    -- 1 is the first
    role            TEXT NOT NULL,
    body            JSONB NOT NULL,                     -- toolkit.messages.Message.to_json
    call_id         TEXT,                               -- the question in the ledger that it belongs to
    created_at      TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, position)
);
