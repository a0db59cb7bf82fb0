// Creates the first schema. Ids are AUTOINCREMENT so that none is ever reused: the additional authenticated data of a
// ciphertext names its owner by id.

export const sql = `
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL  -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE key_groups (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  created_at  INTEGER NOT NULL  -- milliseconds since 1970 UTC, as all times here
) STRICT;

-- A group with keys cannot be deleted; that it takes its keys along would surprise.
CREATE TABLE api_keys (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  group_id     INTEGER NOT NULL REFERENCES key_groups (id) ON DELETE RESTRICT,
  name         TEXT NOT NULL,
  description  TEXT NOT NULL,
  lookup       BLOB NOT NULL UNIQUE,  -- HMAC-SHA-256 of the value
  ciphertext   TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  last_used_at INTEGER,
  UNIQUE (group_id, name)
) STRICT;

CREATE TABLE functions (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  handler     TEXT NOT NULL,
  route       TEXT NOT NULL,
  confinement TEXT NOT NULL,  -- JSON
  enabled     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

-- route_key is the route with its parameters' names left out, so that /a/:x and /a/:y collide.
CREATE TABLE function_methods (
  route_key   TEXT NOT NULL,
  method      TEXT NOT NULL,
  function_id INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
  PRIMARY KEY (route_key, method)
) STRICT, WITHOUT ROWID;
CREATE INDEX function_methods_by_function ON function_methods (function_id);

-- RESTRICT: losing its last group would make a function public.
CREATE TABLE function_groups (
  function_id INTEGER NOT NULL REFERENCES functions (id) ON DELETE CASCADE,
  group_id    INTEGER NOT NULL REFERENCES key_groups (id) ON DELETE RESTRICT,
  PRIMARY KEY (function_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX function_groups_by_group ON function_groups (group_id);

CREATE TABLE secrets (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  name        TEXT NOT NULL,
  scope       TEXT NOT NULL,
  owner_id    INTEGER NOT NULL,  -- 0 for global
  function_id INTEGER REFERENCES functions (id) ON DELETE CASCADE,
  group_id    INTEGER REFERENCES key_groups (id) ON DELETE CASCADE,
  key_id      INTEGER REFERENCES api_keys (id) ON DELETE CASCADE,
  ciphertext  TEXT NOT NULL,
  comment     TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  -- IS, as "= NULL" is neither true nor false and a check lets that pass.
  CHECK (CASE scope
    WHEN 'global'   THEN owner_id = 0 AND function_id IS NULL AND group_id IS NULL AND key_id IS NULL
    WHEN 'function' THEN owner_id IS function_id AND group_id IS NULL AND key_id IS NULL
    WHEN 'group'    THEN owner_id IS group_id AND function_id IS NULL AND key_id IS NULL
    WHEN 'key'      THEN owner_id IS key_id AND function_id IS NULL AND group_id IS NULL
    ELSE 0 END)
) STRICT;
-- Resolution reads four points of this index.
CREATE UNIQUE INDEX secrets_by_name ON secrets (name, scope, owner_id);
CREATE INDEX secrets_by_scope ON secrets (scope, id);
CREATE INDEX secrets_by_function ON secrets (function_id, id) WHERE function_id IS NOT NULL;
CREATE INDEX secrets_by_group ON secrets (group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX secrets_by_key ON secrets (key_id, id) WHERE key_id IS NOT NULL;
`;
