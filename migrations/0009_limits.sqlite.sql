-- How much may be asked and spent, by whom, and how much of it is used up.
CREATE TABLE limits (
    kind                TEXT NOT NULL,                  -- user, origin, model, total
    name                TEXT NOT NULL,                  -- whose; '*' is each one who has no row of their own
    rpm                 BIGINT,                         -- requests per minute; NULL is no limit
    tpm                 BIGINT,                         -- tokens per minute, in and out
    nano_usd_per_day    BIGINT,                         -- billionths of a US dollar per day in UTC
    updated_at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (kind, name)
);

-- GCRA: one number per limit that was touched of late. What is lost with it is a minute's memory.
CREATE TABLE rates (
    key                 TEXT PRIMARY KEY,               -- rpm:user:ada
    tat                 BIGINT NOT NULL                 -- theoretical arrival time, nanoseconds since 1970
) WITHOUT ROWID;
CREATE INDEX rates_by_age ON rates (tat);

-- What was spent or set aside today, per budget.
CREATE TABLE spending (
    day                 TEXT NOT NULL,                  -- in UTC, YYYY-MM-DD
    key                 TEXT NOT NULL,                  -- user:ada
    nano_usd            BIGINT NOT NULL,
    PRIMARY KEY (day, key)
);
