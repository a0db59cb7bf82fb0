// When an API key or a session was used last. Ids never name anything else.

export const sql = `
CREATE TABLE uses (
  kind TEXT NOT NULL CHECK (kind IN ('key', 'session')),
  id   INTEGER NOT NULL,
  at   INTEGER NOT NULL,  -- milliseconds since 1970 UTC
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
`;
