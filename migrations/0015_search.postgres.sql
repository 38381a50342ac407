-- Search by words and by meaning. The word index of Postgres itself goes; what is known of the words and of the meanings
-- of chunks is kept in tables that are the same on both databases, and read into memory by whoever searches.
ALTER TABLE chunks DROP COLUMN words;
DROP INDEX chunks_by_collection;

ALTER TABLE documents ADD COLUMN encoding TEXT;             -- what the bytes of its chunks are decoded with, if it is text
ALTER TABLE documents ADD COLUMN analysed TEXT NOT NULL DEFAULT ''; -- how its words were indexed; empty: not yet
ALTER TABLE chunks ADD COLUMN byte_start BIGINT;            -- where it begins in the bytes of the file
ALTER TABLE chunks ADD COLUMN byte_end BIGINT;              -- the byte after its last one
ALTER TABLE chunks ADD COLUMN place TEXT NOT NULL DEFAULT ''; -- "page 3", "sheet Costs, rows 2–40", or empty

-- A named set of documents. Every write to it locks its row and adds one to its version, and is told in search_log.
CREATE TABLE collections (
    key             TEXT PRIMARY KEY,                   -- its name; of a private one also its owner, behind a character 31
    name            TEXT NOT NULL,
    owner           TEXT,                               -- whose it is; NULL: everyone's
    id              TEXT NOT NULL,                      -- another one when it was removed and made again
    language        TEXT NOT NULL,                      -- of its words
    analysed        TEXT NOT NULL,                      -- how the words of all of its documents are indexed; empty: not all are
    embedder        TEXT,                               -- whose vectors are searched; NULL: none yet
    dimension       BIGINT,                             -- of these vectors
    next_embedder   TEXT,                               -- who will take over when no chunk lacks a vector of it
    next_dimension  BIGINT,
    version         BIGINT NOT NULL,
    sealed          BIGINT NOT NULL,                    -- versions up to here are in segments and blocks, not in the log
    sealing_by      TEXT,                               -- who folds the log just now, or indexes old documents
    sealing_until   TIMESTAMPTZ,                        -- it counts until then
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL
);
INSERT INTO collections (key, name, id, language, analysed, version, sealed, created_at, updated_at)
SELECT collection, collection, replace(CAST(gen_random_uuid() AS TEXT), '-', ''), 'en', '', 0, 0, MIN(created_at), MAX(updated_at)
  FROM documents
 GROUP BY collection;

-- What was written to a collection since it was sealed, in order and without gaps.
CREATE TABLE search_log (
    collection      TEXT NOT NULL,
    version         BIGINT NOT NULL,
    kind            TEXT NOT NULL,                      -- words, gone, vectors, sealed, settings
    chunks          BIGINT NOT NULL,                    -- of how many it tells
    body            BYTEA NOT NULL,
    PRIMARY KEY (collection, version, kind)
);

-- The words of up to 65,536 chunks, sealed.
CREATE TABLE segments (
    id              BIGINT PRIMARY KEY,                 -- random
    collection      TEXT NOT NULL,
    state           TEXT NOT NULL,                      -- building; live; gone: nobody reads it any more in a minute
    version         BIGINT NOT NULL,                    -- of the collection, up to which it was made of the log
    chunks          BIGINT NOT NULL,
    head            BYTEA NOT NULL,                     -- all but the postings
    dead            BYTEA NOT NULL,                     -- a bit for each chunk that no longer counts; empty: all count
    changed_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX segments_of_a_collection ON segments (collection, state);
CREATE TABLE postings (
    segment         BIGINT NOT NULL,
    block           BIGINT NOT NULL,                    -- 0 is the first
    body            BYTEA NOT NULL,                     -- the postings of a stretch of terms
    PRIMARY KEY (segment, block)
);

-- Vectors, sealed; by the hash of the text that they stand for.
CREATE TABLE vector_blocks (
    id              BIGINT PRIMARY KEY,                 -- random
    collection      TEXT NOT NULL,
    embedder        TEXT NOT NULL,
    state           TEXT NOT NULL,                      -- as of segments
    version         BIGINT NOT NULL,                    -- as of segments
    vectors         BIGINT NOT NULL,
    body            BYTEA NOT NULL,
    changed_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX vector_blocks_of_a_collection ON vector_blocks (collection, state);

-- Which texts somebody embeds just now, so that no other does it, too.
CREATE TABLE embedding_claims (
    collection      TEXT NOT NULL,
    embedder        TEXT NOT NULL,
    text_hash       BIGINT NOT NULL,                    -- the bits of an unsigned number
    claimed_by      TEXT NOT NULL,
    claimed_until   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (collection, embedder, text_hash)
);

-- They do not become smaller by Postgres's own compression, which would only take its time.
ALTER TABLE search_log ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE segments ALTER COLUMN head SET STORAGE EXTERNAL;
ALTER TABLE segments ALTER COLUMN dead SET STORAGE EXTERNAL;
ALTER TABLE postings ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE vector_blocks ALTER COLUMN body SET STORAGE EXTERNAL;
