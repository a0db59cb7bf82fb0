// Creates the users of the admin pages. Passwords, tokens and codes are stored only as hashes; the secret of a second
// factor is derived from a nonce in this table and a key of the key file.

export const sql = `
CREATE TABLE admins (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  email           TEXT NOT NULL UNIQUE,  -- in lower case
  name            TEXT NOT NULL,
  password        TEXT,                  -- Argon2id; NULL until an invitation is accepted
  totp_nonce      BLOB,                  -- NULL without a second factor
  totp_last_step  INTEGER NOT NULL DEFAULT 0,
  created_at      INTEGER NOT NULL,
  last_sign_in_at INTEGER
) STRICT;

CREATE TABLE sessions (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  token_hash   BLOB NOT NULL UNIQUE,     -- SHA-256
  admin_id     INTEGER NOT NULL REFERENCES admins (id) ON DELETE CASCADE,
  created_at   INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  address      TEXT NOT NULL,
  user_agent   TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_admin ON sessions (admin_id, id);

CREATE TABLE recovery_codes (
  admin_id INTEGER NOT NULL REFERENCES admins (id) ON DELETE CASCADE,
  code     BLOB NOT NULL,                -- HMAC-SHA-256
  PRIMARY KEY (admin_id, code)
) STRICT, WITHOUT ROWID;

-- The link by which somebody chooses a password: an invitation or a reset. The newest alone counts.
CREATE TABLE password_links (
  admin_id   INTEGER PRIMARY KEY REFERENCES admins (id) ON DELETE CASCADE,
  token_hash BLOB NOT NULL UNIQUE,       -- SHA-256
  expires_at INTEGER NOT NULL
) STRICT;
`;
