// Creates the counts of the other nodes of a cluster, in the forms of this node's own, and what this node has yet to
// pass on of its own.

export const sql = `
CREATE TABLE node_metrics (
  node              TEXT NOT NULL,
  length_ms         INTEGER NOT NULL,
  function_id       INTEGER NOT NULL,
  at                INTEGER NOT NULL,
  calls             INTEGER NOT NULL,
  errors            INTEGER NOT NULL,
  timeouts          INTEGER NOT NULL,
  refusals          INTEGER NOT NULL,
  duration_us       INTEGER NOT NULL,
  longest_us        INTEGER NOT NULL,
  sandbox_starts    INTEGER NOT NULL,
  secret_reads      INTEGER NOT NULL,
  secret_read_us    INTEGER NOT NULL,
  background_calls  INTEGER NOT NULL,
  background_errors INTEGER NOT NULL,
  background_us     INTEGER NOT NULL,
  histogram         BLOB NOT NULL,
  PRIMARY KEY (length_ms, function_id, at, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_metrics_by_time ON node_metrics (length_ms, at);

CREATE TABLE node_secret_reads (
  node        TEXT NOT NULL,
  length_ms   INTEGER NOT NULL,
  secret_id   INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  function_id INTEGER NOT NULL,
  key_id      INTEGER NOT NULL,
  reads       INTEGER NOT NULL,
  PRIMARY KEY (secret_id, at, function_id, key_id, length_ms, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_secret_reads_by_time ON node_secret_reads (length_ms, at);

CREATE TABLE node_secret_read_days (
  node      TEXT NOT NULL,
  secret_id INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  reads     INTEGER NOT NULL,
  PRIMARY KEY (secret_id, at, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_secret_read_days_by_time ON node_secret_read_days (at);

CREATE TABLE node_secret_last_reads (
  node        TEXT NOT NULL,
  secret_id   INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  function_id INTEGER NOT NULL,
  PRIMARY KEY (secret_id, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_secret_last_reads_by_time ON node_secret_last_reads (at);

CREATE TABLE node_secret_reads_begin (
  node TEXT PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE node_uses (
  node TEXT NOT NULL,
  kind TEXT NOT NULL,
  id   INTEGER NOT NULL,
  at   INTEGER NOT NULL,
  PRIMARY KEY (kind, id, node)
) STRICT, WITHOUT ROWID;

-- Rows of this node's own tables that other nodes do not know as they are now. The id grows with each change.
CREATE TABLE unpublished (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  key  TEXT NOT NULL,
  UNIQUE (kind, key)
) STRICT;

-- One row: for which node of which cluster the rows are tracked, and up to which change the others' are known.
CREATE TABLE node_counts_state (
  identity TEXT NOT NULL,
  seen     INTEGER NOT NULL
) STRICT;
INSERT INTO node_counts_state VALUES ('', 0);
`;
