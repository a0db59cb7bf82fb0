// Creates the versions of secrets and the bin, and adds what a secret says about its value: where it may go, when it is
// due, how it is read. All added columns are NULL at first, so that the MACs of existing rows stay valid.

export const sql = `
ALTER TABLE secrets ADD COLUMN sealed INTEGER;             -- 1, or NULL
ALTER TABLE secrets ADD COLUMN hosts TEXT;                 -- JSON; of a sealed value
ALTER TABLE secrets ADD COLUMN places TEXT;                -- JSON; NULL: headers
ALTER TABLE secrets ADD COLUMN expires_at INTEGER;
ALTER TABLE secrets ADD COLUMN rotate_every_days INTEGER;
ALTER TABLE secrets ADD COLUMN on_expiry TEXT;             -- 'close', or NULL: 'warn'
ALTER TABLE secrets ADD COLUMN expand INTEGER;             -- 1, or NULL
ALTER TABLE secrets ADD COLUMN canary INTEGER;             -- 1, or NULL
ALTER TABLE secrets ADD COLUMN version INTEGER;            -- of the value; NULL: 1
ALTER TABLE secrets ADD COLUMN set_at INTEGER;             -- of the value; NULL: updated_at
ALTER TABLE secrets ADD COLUMN set_by_kind TEXT;           -- NULL: not known
ALTER TABLE secrets ADD COLUMN set_by_id TEXT;
ALTER TABLE secrets ADD COLUMN set_by_name TEXT;
ALTER TABLE secrets ADD COLUMN placed_at INTEGER;          -- when it got its name, or came out of the bin; NULL: created_at
-- The earlier of its expiry and the end of its interval; NULL if it has neither.
ALTER TABLE secrets ADD COLUMN due_at INTEGER AS (CASE
  WHEN rotate_every_days IS NULL THEN expires_at
  WHEN expires_at < ifnull(set_at, updated_at) + rotate_every_days * 86400000 THEN expires_at
  ELSE ifnull(set_at, updated_at) + rotate_every_days * 86400000 END) VIRTUAL;
CREATE INDEX secrets_by_due ON secrets (due_at, id) WHERE due_at IS NOT NULL;

-- Earlier values of secrets; of a deleted one, the last value as well. The current value of a secret is in its own row.
CREATE TABLE secret_versions (
  id             INTEGER PRIMARY KEY,
  secret_id      INTEGER NOT NULL,   -- in secrets or deleted_secrets
  number         INTEGER NOT NULL,
  ciphertext     TEXT NOT NULL,
  sealed         INTEGER,
  hosts          TEXT,
  places         TEXT,
  set_at         INTEGER NOT NULL,
  set_by_kind    TEXT,
  set_by_id      TEXT,
  set_by_name    TEXT,
  until          INTEGER NOT NULL,   -- when it was replaced or deleted
  previous_until INTEGER,            -- until when it counts next to its successor
  key_version    INTEGER AS (CAST(substr(ciphertext, 2, 9) AS INTEGER)) VIRTUAL,
  mac            BLOB NOT NULL DEFAULT x'',
  UNIQUE (secret_id, number)
) STRICT;
CREATE INDEX secret_versions_by_key_version ON secret_versions (key_version);

CREATE TABLE deleted_secrets (
  id                INTEGER PRIMARY KEY,  -- the secret's own
  name              TEXT NOT NULL,
  scope             TEXT NOT NULL,
  owner_id          INTEGER NOT NULL,
  owner_name        TEXT,                 -- as it was; NULL for global
  owner_group       TEXT,                 -- name of the group of a key
  comment           TEXT NOT NULL,
  expires_at        INTEGER,
  rotate_every_days INTEGER,
  on_expiry         TEXT,
  expand            INTEGER,
  canary            INTEGER,
  version           INTEGER NOT NULL,     -- of the last value
  placed_at         INTEGER NOT NULL,
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL,
  deleted_at        INTEGER NOT NULL,
  deleted_by_kind   TEXT NOT NULL,
  deleted_by_id     TEXT,
  deleted_by_name   TEXT,
  mac               BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX deleted_secrets_by_name ON deleted_secrets (name, scope, owner_id);
CREATE INDEX deleted_secrets_by_time ON deleted_secrets (deleted_at);
`;
