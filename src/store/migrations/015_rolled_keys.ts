// Adds the value that a roll replaced, which stays accepted for a while. All columns are NULL for a key that was never
// rolled, so that its MAC stays valid.

export const sql = `
ALTER TABLE api_keys ADD COLUMN rolled_at INTEGER;
ALTER TABLE api_keys ADD COLUMN previous_until INTEGER;  -- the value before is accepted before this time
ALTER TABLE api_keys ADD COLUMN previous_lookup BLOB;    -- HMAC-SHA-256 of that value; NULL some time after it ended
CREATE UNIQUE INDEX api_keys_by_previous_lookup ON api_keys (previous_lookup) WHERE previous_lookup IS NOT NULL;
CREATE INDEX api_keys_by_previous_until ON api_keys (previous_until) WHERE previous_lookup IS NOT NULL;
`;
