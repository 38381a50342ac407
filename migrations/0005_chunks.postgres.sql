-- Passages of documents, and their word index.
CREATE TABLE chunks (
    id              TEXT PRIMARY KEY,                   -- document id, a dash, and the position
    document_id     TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    collection      TEXT NOT NULL,
    position        BIGINT NOT NULL,                    -- 1 is the document's first chunk
    heading         TEXT NOT NULL,                      -- where it stands: "Guide › Install", "class Router", or empty
    text            TEXT NOT NULL,
    line_start      BIGINT NOT NULL,                    -- 1 is the document's first line
    line_end        BIGINT NOT NULL,                    -- the last line, itself included
    content_hash    TEXT NOT NULL,                      -- SHA-256 of heading and text
    -- Diacritics are folded by decomposing and dropping the marks: the extension `unaccent` is not everywhere.
    -- Punctuation parts words, or Postgres would take `router.complete` for a host and `db/sqlite.py` for one path.
    words           TSVECTOR GENERATED ALWAYS AS (
        setweight(to_tsvector('english', regexp_replace(regexp_replace(
            normalize(heading, NFD), '[\u0300-\u036f]', '', 'g'), '[!-/:-@\[-`{-~]+', ' ', 'g')), 'A')
        || to_tsvector('english', regexp_replace(regexp_replace(
            normalize(text, NFD), '[\u0300-\u036f]', '', 'g'), '[!-/:-@\[-`{-~]+', ' ', 'g'))
    ) STORED
);
CREATE INDEX chunks_of_a_document ON chunks (document_id, position);
CREATE INDEX chunks_by_collection ON chunks (collection);
CREATE INDEX chunks_by_word ON chunks USING GIN (words);
