-- One row per attempt to get an answer from a model, failed and cancelled ones too. Rows are only ever added.
CREATE TABLE calls (
    id                  TEXT PRIMARY KEY,               -- UUIDv7: sorted by time
    call_id             TEXT NOT NULL,                  -- shared by all attempts of one question: reply.call_id
    attempt             BIGINT NOT NULL,                -- 1 is the first model asked
    kind                TEXT NOT NULL,                  -- chat, stream, embed
    name                TEXT NOT NULL,                  -- the model's name in the table `models`, or provider/model
    provider            TEXT NOT NULL,
    model               TEXT NOT NULL,
    session_id          TEXT,
    user_id             TEXT,
    origin              TEXT,                           -- the application that asked
    status              TEXT NOT NULL,                  -- ok, error, cancelled
    error               TEXT,                           -- class of the error, e.g. RateLimited
    message             TEXT,                           -- the error in one sentence, without secrets
    http_status         BIGINT,
    request_id          TEXT,                           -- the vendor's
    input_tokens        BIGINT,                         -- NULL where the vendor did not say
    output_tokens       BIGINT,
    cached_tokens       BIGINT,                         -- part of input_tokens
    cache_write_tokens  BIGINT,                         -- part of input_tokens
    reasoning_tokens    BIGINT,                         -- part of output_tokens
    cost_nano_usd       BIGINT,                         -- billionths of a US dollar; NULL where the price is unknown
    milliseconds        DOUBLE PRECISION NOT NULL,
    started_at          TIMESTAMPTZ NOT NULL,
    day                 TEXT NOT NULL                   -- of started_at in UTC, YYYY-MM-DD
);
CREATE INDEX calls_by_call ON calls (call_id, attempt);
CREATE INDEX calls_by_user ON calls (user_id, day);
CREATE INDEX calls_by_session ON calls (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX calls_by_day ON calls (day);
