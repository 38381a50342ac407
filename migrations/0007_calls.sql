-- Which key of a pool was used, what a price rests on beside the common counts, what nobody counted, and how fast a
-- model was of late.
ALTER TABLE calls ADD COLUMN key_label TEXT;            -- the variable and the place, e.g. OPENAI_API_KEYS[2]; never a key
ALTER TABLE calls ADD COLUMN usage_more JSONB;          -- the rarer counts, e.g. {"input_audio_tokens": 12}; mostly NULL
ALTER TABLE calls ADD COLUMN uncounted BOOLEAN NOT NULL DEFAULT FALSE;  -- it may have cost something all the same
CREATE INDEX calls_by_name ON calls (name, started_at) WHERE status = 'ok';
