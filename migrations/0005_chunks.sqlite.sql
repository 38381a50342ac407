-- Passages of documents, and their word index.
CREATE TABLE chunks (
    seq             INTEGER PRIMARY KEY,                -- the row number that the word index refers to
    id              TEXT NOT NULL UNIQUE,               -- document id, a dash, and the position
    document_id     TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    collection      TEXT NOT NULL,
    position        BIGINT NOT NULL,                    -- 1 is the document's first chunk
    heading         TEXT NOT NULL,                      -- where it stands: "Guide › Install", "class Router", or empty
    text            TEXT NOT NULL,
    line_start      BIGINT NOT NULL,                    -- 1 is the document's first line
    line_end        BIGINT NOT NULL,                    -- the last line, itself included
    content_hash    TEXT NOT NULL                       -- SHA-256 of heading and text
);
CREATE INDEX chunks_of_a_document ON chunks (document_id, position);
CREATE INDEX chunks_by_collection ON chunks (collection);

CREATE VIRTUAL TABLE chunks_words USING fts5 (
    heading, text, content='chunks', content_rowid='seq', tokenize='porter unicode61 remove_diacritics 2'
);
CREATE TRIGGER chunks_words_insert AFTER INSERT ON chunks BEGIN
    INSERT INTO chunks_words (rowid, heading, text) VALUES (new.seq, new.heading, new.text);
END;
CREATE TRIGGER chunks_words_delete AFTER DELETE ON chunks BEGIN
    INSERT INTO chunks_words (chunks_words, rowid, heading, text) VALUES ('delete', old.seq, old.heading, old.text);
END;
CREATE TRIGGER chunks_words_update AFTER UPDATE OF heading, text ON chunks BEGIN
    INSERT INTO chunks_words (chunks_words, rowid, heading, text) VALUES ('delete', old.seq, old.heading, old.text);
    INSERT INTO chunks_words (rowid, heading, text) VALUES (new.seq, new.heading, new.text);
END;
