// Creates the versions of the code folder and the deployments. Contents of files are stored apart, under their SHA-256.

export const sql = `
CREATE TABLE versions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id   TEXT,
  actor_name TEXT,
  cause      TEXT NOT NULL,
  message    TEXT NOT NULL,
  -- SHA-256 of the list of all files.
  tree       TEXT NOT NULL,
  mac        BLOB NOT NULL
) STRICT;

-- The files that a version changed; a deleted one has no content.
CREATE TABLE version_files (
  path       TEXT NOT NULL,
  version_id INTEGER NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
  sha256     TEXT,
  size_bytes INTEGER,
  PRIMARY KEY (path, version_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_files_by_version ON version_files (version_id);
CREATE INDEX version_files_by_content ON version_files (sha256);

-- All functions as they were after a deployment, as JSON.
CREATE TABLE function_lists (
  sha256  TEXT NOT NULL PRIMARY KEY,
  entries TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deployments (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  version_id  INTEGER REFERENCES versions (id),
  rollback_of INTEGER REFERENCES deployments (id),
  at          INTEGER NOT NULL,
  actor_kind  TEXT NOT NULL,
  actor_id    TEXT,
  actor_name  TEXT,
  message     TEXT NOT NULL,
  plan        TEXT NOT NULL,
  functions   TEXT NOT NULL REFERENCES function_lists (sha256),
  mac         BLOB NOT NULL
) STRICT;
CREATE INDEX deployments_by_functions ON deployments (functions);
`;
