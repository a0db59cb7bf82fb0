// Adds the API key that admitted the call of an entry. NULL for entries of calls without one, and of earlier versions.

export const sql = `
ALTER TABLE logs ADD COLUMN key_id INTEGER;
CREATE INDEX logs_by_key ON logs (key_id, id) WHERE key_id IS NOT NULL;
`;
