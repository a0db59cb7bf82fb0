// Creates the webhooks, the deliveries to them, and what was announced.

export const sql = `
CREATE TABLE webhooks (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  url         TEXT NOT NULL,
  events      TEXT NOT NULL,    -- JSON
  ciphertext  TEXT NOT NULL,    -- of the secret that signs
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  key_version INTEGER AS (CAST(substr(ciphertext, 2, 9) AS INTEGER)) VIRTUAL,
  mac         BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX webhooks_by_key_version ON webhooks (key_version);

CREATE TABLE webhook_deliveries (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook_id INTEGER NOT NULL,
  message_id TEXT NOT NULL,     -- the same for all webhooks and attempts
  type       TEXT NOT NULL,
  body       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  attempts   INTEGER NOT NULL,
  next_at    INTEGER,           -- of the next attempt; NULL once it is over
  tried_at   INTEGER,
  status     INTEGER,           -- HTTP status of the last answer
  problem    TEXT               -- of the last attempt; NULL if it was taken
) STRICT;
CREATE INDEX webhook_deliveries_by_next ON webhook_deliveries (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook_id, id);

-- What was announced, so that it is not announced again.
CREATE TABLE announced (
  topic TEXT PRIMARY KEY,
  at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
