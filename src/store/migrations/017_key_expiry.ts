// Adds the time from which on a key is refused. NULL for a key that never expires, so that its MAC stays valid.

export const sql = `
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
CREATE INDEX api_keys_by_expires_at ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
`;
