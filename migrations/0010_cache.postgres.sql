-- Answers that may be given again. The body comes last: what is only counted or compared is read without it. Unlogged:
-- what a crash takes is asked again.
CREATE UNLOGGED TABLE cache (
    key                 TEXT PRIMARY KEY,               -- SHA-256 of the canonical request
    rest                TEXT NOT NULL,                  -- the same without the last question: for answers to similar ones
    model               TEXT NOT NULL,                  -- the name of the model that answered
    prompt              TEXT,                           -- the id of the prompt that it was asked with
    question            TEXT NOT NULL,                  -- the last question, shortened: what patterns are matched with
    bytes               BIGINT NOT NULL,                -- of the texts of this row
    hits                BIGINT NOT NULL DEFAULT 0,
    created_at          TIMESTAMPTZ NOT NULL,           -- when the model was asked
    used_at             TIMESTAMPTZ NOT NULL,
    expires_at          TIMESTAMPTZ NOT NULL,
    vector              TEXT,                           -- of the last question, base64 of float32; NULL without one
    body                TEXT NOT NULL                   -- the answer as JSON, NUL and half characters escaped
);
CREATE INDEX cache_by_rest ON cache (rest, created_at) WHERE vector IS NOT NULL;
CREATE INDEX cache_by_expiry ON cache (expires_at);
CREATE INDEX cache_by_use ON cache (used_at, bytes, key);

-- Who is making an answer that others wait for.
CREATE UNLOGGED TABLE cache_leases (
    key                 TEXT PRIMARY KEY,               -- of the answer
    maker               TEXT NOT NULL,
    until               DOUBLE PRECISION NOT NULL       -- seconds since 1970 by the database's own clock
);
