// Creates counts of calls by minute, hour and day, and of reads of secrets by minute and day. Times are in milliseconds
// since 1970 UTC. Names of secrets, functions and keys are not stored: their ids are never reused.

export const sql = `
CREATE TABLE metrics (
  length_ms      INTEGER NOT NULL CHECK (length_ms IN (60000, 3600000, 86400000)),
  function_id    INTEGER NOT NULL,  -- 0: all together
  at             INTEGER NOT NULL,
  calls          INTEGER NOT NULL,
  errors         INTEGER NOT NULL,
  timeouts       INTEGER NOT NULL,
  refusals       INTEGER NOT NULL,
  duration_us    INTEGER NOT NULL,
  longest_us     INTEGER NOT NULL,
  sandbox_starts INTEGER NOT NULL,
  secret_reads   INTEGER NOT NULL,
  secret_read_us INTEGER NOT NULL,
  histogram      BLOB NOT NULL,
  PRIMARY KEY (length_ms, function_id, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX metrics_by_time ON metrics (length_ms, at);

-- One row: minutes before this one are in the rows of hours and days, too.
CREATE TABLE metrics_progress (rolled_to INTEGER NOT NULL) STRICT;
INSERT INTO metrics_progress VALUES (0);

-- Who read what. key_id 0: a call without a key.
CREATE TABLE secret_reads (
  length_ms   INTEGER NOT NULL CHECK (length_ms IN (60000, 86400000)),
  secret_id   INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  function_id INTEGER NOT NULL,
  key_id      INTEGER NOT NULL,
  reads       INTEGER NOT NULL,
  PRIMARY KEY (secret_id, at, function_id, key_id, length_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_reads_by_time ON secret_reads (length_ms, at);

-- The same without who, so that counts over a month take a row for each day.
CREATE TABLE secret_read_days (
  secret_id INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  reads     INTEGER NOT NULL,
  PRIMARY KEY (secret_id, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_read_days_by_time ON secret_read_days (at);

CREATE TABLE secret_last_reads (
  secret_id   INTEGER PRIMARY KEY,
  at          INTEGER NOT NULL,
  function_id INTEGER NOT NULL
) STRICT;
CREATE INDEX secret_last_reads_by_time ON secret_last_reads (at);

-- One row: since when reads are counted. Before that, none being known does not mean that there was none.
CREATE TABLE secret_reads_begin (at INTEGER NOT NULL) STRICT;
INSERT INTO secret_reads_begin VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER));
`;
