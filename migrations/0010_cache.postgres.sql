-- Answers that may be given again. A row without a body is an answer that somebody is waiting for. Unlogged:
-- what a crash takes is asked again.
CREATE UNLOGGED TABLE cache (
    key                 TEXT PRIMARY KEY,               -- SHA-256 of the canonical request
    rest                TEXT NOT NULL,                  -- the same without the last question: for answers to similar ones
    model               TEXT,                           -- the name of the model that answered
    prompt              TEXT,                           -- the id of the prompt that it was asked with
    question            TEXT,                           -- the last question, shortened: what patterns are matched with
    vector              TEXT,                           -- of the last question, base64 of float32; NULL without one
    body                JSONB,                          -- the answer; NULL while it is being made
    bytes               BIGINT NOT NULL DEFAULT 0,      -- of the body
    hits                BIGINT NOT NULL DEFAULT 0,
    created_at          TIMESTAMPTZ NOT NULL,
    used_at             TIMESTAMPTZ NOT NULL,
    expires_at          TIMESTAMPTZ NOT NULL            -- of a row without a body: until when others wait for it
);
CREATE INDEX cache_by_rest ON cache (rest) WHERE vector IS NOT NULL;
CREATE INDEX cache_by_model ON cache (model);
CREATE INDEX cache_by_expiry ON cache (expires_at);
CREATE INDEX cache_by_use ON cache (used_at);
