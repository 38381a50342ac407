-- What was ingested: one row per file, page or text. Its chunks are in the table of the next migration.
CREATE TABLE documents (
    id              TEXT PRIMARY KEY,                   -- made from collection and source: the same file keeps its id
    collection      TEXT NOT NULL,
    source          TEXT NOT NULL,                      -- where it came from: a path, an address, or a name
    title           TEXT NOT NULL,
    kind            TEXT NOT NULL,                      -- markdown, text, code, notebook
    language        TEXT,                               -- programming language of code, else NULL
    metadata        JSONB NOT NULL,
    content_hash    TEXT NOT NULL,                      -- SHA-256 of the bytes and of the chunker's version
    bytes           BIGINT NOT NULL,
    chunks          BIGINT NOT NULL,
    root            TEXT NOT NULL,                      -- the folder given to `ingest`; what went from it is removed
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    UNIQUE (collection, source)
);
CREATE INDEX documents_by_root ON documents (collection, root);
