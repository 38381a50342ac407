-- What was changed last, without sorting all documents for it.
CREATE INDEX documents_by_change ON documents (updated_at, id);
