-- Who may call over HTTP. Not the key itself, only its digest: a key is 256 random bits, so nobody guesses what it is of.
CREATE TABLE api_keys (
    id                  TEXT PRIMARY KEY,               -- UUIDv7
    digest              TEXT NOT NULL,                  -- SHA-256 of the key, in hexadecimal
    hint                TEXT NOT NULL,                  -- how it begins, so that people recognise it
    name                TEXT NOT NULL,                  -- what it is for
    user_id             TEXT NOT NULL,                  -- whose calls are made with it; the limits of a user hold for them
    scopes              JSONB NOT NULL,                 -- ["chat", "search", "admin"], or some of them
    created_at          TIMESTAMPTZ NOT NULL,
    expires_at          TIMESTAMPTZ,                    -- NULL: never
    revoked_at          TIMESTAMPTZ,                    -- NULL: it counts
    last_used_at        TIMESTAMPTZ                     -- to the minute; NULL: never
);
CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest);
