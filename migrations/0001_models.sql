-- Which models may answer, in which order, and who changed that.
-- auth holds names of environment variables, never secrets: {"api_key_env": "OPENAI_API_KEY"}.
CREATE TABLE models (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,               -- what people and `model=` call it
    provider        TEXT NOT NULL,                      -- the vendor: a file of toolkit/providers
    model           TEXT NOT NULL,                      -- the vendor's own name of the model
    scope           TEXT NOT NULL DEFAULT 'global',
    priority        BIGINT NOT NULL DEFAULT 100,        -- lower is tried first
    enabled         BOOLEAN NOT NULL DEFAULT TRUE,
    is_default      BOOLEAN NOT NULL DEFAULT FALSE,
    auth            JSONB NOT NULL,
    config          JSONB NOT NULL,                     -- base_url, temperature, max_tokens, price overrides, …
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX models_one_default_per_scope ON models (scope) WHERE is_default;
CREATE INDEX models_chain ON models (scope, priority);

-- One row per change; a removed model's rows stay.
CREATE TABLE model_changes (
    id              TEXT PRIMARY KEY,                   -- UUIDv7: sorted by time
    model_id        TEXT NOT NULL,
    name            TEXT NOT NULL,
    action          TEXT NOT NULL,                      -- seed, add, set, remove
    before          JSONB,                              -- the row, NULL where there was none
    after           JSONB,
    changed_by      TEXT,
    changed_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX model_changes_of_a_model ON model_changes (name, id);
