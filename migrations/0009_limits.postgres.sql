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

-- GCRA: one number per limit that was touched of late. Unlogged: a crash costs a minute's memory, and nobody waits for
-- the disk.
CREATE UNLOGGED TABLE rates (
    key                 TEXT PRIMARY KEY,               -- rpm:user:ada
    tat                 BIGINT NOT NULL                 -- theoretical arrival time, microseconds since 1970
) WITH (fillfactor = 50);
CREATE INDEX rates_by_age ON rates (tat);

-- What was spent or set aside in a day, per budget.
CREATE TABLE spending (
    day                 TEXT NOT NULL,                  -- in UTC, YYYY-MM-DD
    key                 TEXT NOT NULL,                  -- user:ada
    nano_usd            BIGINT NOT NULL,
    unpriced            BIGINT NOT NULL,                -- requests whose price nobody knows; they count as 0
    PRIMARY KEY (day, key)
);

-- What comes to the above when the price of a request is known. It is written with the request's row in the ledger,
-- where rows that many requests share would make them wait for each other; the next request takes it over.
CREATE TABLE settlements (
    day                 TEXT NOT NULL,
    key                 TEXT NOT NULL,
    id                  TEXT NOT NULL,                  -- of the admission
    nano_usd            BIGINT NOT NULL,                -- the price less what was set aside
    unpriced            BIGINT NOT NULL,
    PRIMARY KEY (day, key, id)
);
