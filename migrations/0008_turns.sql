-- Who speaks in a session at present, so that turns of several processes are put in order; and what its beginning was
-- about, for models whose window it has outgrown.
ALTER TABLE sessions ADD COLUMN turn_id TEXT;           -- the turn under way, NULL where there is none
ALTER TABLE sessions ADD COLUMN turn_until TIMESTAMPTZ; -- it counts until then; a living turn moves this ahead
ALTER TABLE sessions ADD COLUMN summary JSONB;          -- {"until": position, "text": …}; NULL where nothing was summed up
CREATE INDEX sessions_by_parent ON sessions (parent_id) WHERE parent_id IS NOT NULL;
