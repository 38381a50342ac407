-- Prompts that are kept here rather than in a file: one row per version, and the newest counts.
CREATE TABLE prompt_versions (
    id                  TEXT NOT NULL,                  -- what the prompt is called
    version             BIGINT NOT NULL,                -- 1 is the first
    body                TEXT,                           -- front matter and text, as a file would have them; NULL: removed
    changed_by          TEXT,
    changed_at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (id, version)
);
