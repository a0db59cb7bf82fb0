// Creates the times when API keys and sessions were last used. Ids are never reused.

export const sql = `
CREATE TABLE uses (
  kind TEXT NOT NULL CHECK (kind IN ('key', 'session')),
  id   INTEGER NOT NULL,
  at   INTEGER NOT NULL,  -- milliseconds since 1970 UTC
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
`;
