-- Questions that are answered in the background, and go on after a restart: batches, and single generations.
CREATE TABLE jobs (
    id                  TEXT PRIMARY KEY,               -- UUIDv7, or a name that the caller gave
    kind                TEXT NOT NULL,                  -- batch, generation, vendor_batch
    status              TEXT NOT NULL,                  -- pending, running, completed, failed, cancelled
    total               BIGINT NOT NULL,                -- how many questions
    options             JSONB NOT NULL,
    fingerprint         TEXT NOT NULL,                  -- SHA-256 of the questions: another batch is not this job
    user_id             TEXT,
    origin              TEXT,
    error               TEXT,                           -- why it failed, in one sentence
    worker              TEXT,                           -- who works on it, NULL where nobody does
    worker_until        TIMESTAMPTZ,                    -- it counts until then
    created_at          TIMESTAMPTZ NOT NULL,
    updated_at          TIMESTAMPTZ NOT NULL,
    ended_at            TIMESTAMPTZ
);
CREATE INDEX jobs_by_status ON jobs (status, id);
CREATE INDEX jobs_by_user ON jobs (user_id, id);

CREATE TABLE job_items (
    job_id              TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position            BIGINT NOT NULL,                -- 0 is the first
    status              TEXT NOT NULL,                  -- pending, running, completed, failed
    request             JSONB NOT NULL,
    reply               JSONB,
    error               JSONB,                          -- {"error": class, "message": sentence}
    call_id             TEXT,                           -- the question in the ledger
    updated_at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (job_id, position)
);
CREATE INDEX job_items_by_status ON job_items (job_id, status, position);
