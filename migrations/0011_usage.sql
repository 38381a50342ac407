-- Sums by day, so that a year of calls is quick to ask; and every call of a tool.
-- A row of `calls` is in the sums exactly if it is `rolled`; what is not yet is added when the sums are asked for.
ALTER TABLE calls ADD COLUMN rolled BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX calls_not_rolled ON calls (day) WHERE NOT rolled;
-- The newest calls are read in this order, however many a day has.
DROP INDEX calls_by_day;
CREATE INDEX calls_by_day ON calls (day, started_at);

CREATE TABLE usage_daily (
    day                 TEXT NOT NULL,                  -- in UTC, YYYY-MM-DD
    name                TEXT NOT NULL,                  -- the model's
    provider            TEXT NOT NULL,
    user_id             TEXT NOT NULL,                  -- '' where the caller did not say
    origin              TEXT NOT NULL,                  -- likewise
    calls               BIGINT NOT NULL,                -- failed and cancelled ones too, cached ones not
    failures            BIGINT NOT NULL,
    cached              BIGINT NOT NULL,                -- answers that came from the cache; nothing else counts them
    cacheable           BIGINT NOT NULL,                -- answers that could have come from it: not those of embeddings
    input_tokens        BIGINT NOT NULL,
    output_tokens       BIGINT NOT NULL,
    cost_nano_usd       BIGINT NOT NULL,                -- of those whose cost is known
    costs               BIGINT NOT NULL,                -- how many these are; with none the cost is unknown
    priced_calls        BIGINT NOT NULL,                -- answers whose price is known
    unpriced_calls      BIGINT NOT NULL,                -- the other answers
    milliseconds        DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (day, name, provider, user_id, origin)
);
CREATE INDEX usage_daily_by_user ON usage_daily (user_id, day);

CREATE TABLE tool_calls (
    id                  TEXT PRIMARY KEY,               -- UUIDv7: sorted by time
    call_id             TEXT,                           -- the question that it was called for, NULL where none was
    tool                TEXT NOT NULL,
    session_id          TEXT,
    user_id             TEXT,
    origin              TEXT,
    status              TEXT NOT NULL,                  -- ok, error, refused, timeout, cancelled
    error               TEXT,                           -- class of the error
    message             TEXT,                           -- the error in one sentence, without secrets
    argument_bytes      BIGINT NOT NULL,                -- as JSON
    result_bytes        BIGINT,                         -- NULL where there is no result
    milliseconds        DOUBLE PRECISION NOT NULL,
    started_at          TIMESTAMPTZ NOT NULL,
    day                 TEXT NOT NULL                   -- of started_at in UTC, YYYY-MM-DD
);
CREATE INDEX tool_calls_by_call ON tool_calls (call_id) WHERE call_id IS NOT NULL;
CREATE INDEX tool_calls_by_session ON tool_calls (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX tool_calls_by_day ON tool_calls (day, started_at);
