// Creates the most memory that a process of each function was seen to use, by day, of this node and of the others.

export const sql = `
CREATE TABLE memory_peaks (
  function_id INTEGER NOT NULL,
  at          INTEGER NOT NULL,  -- when the day begins, in milliseconds since 1970 UTC
  mb          INTEGER NOT NULL,
  PRIMARY KEY (function_id, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX memory_peaks_by_time ON memory_peaks (at);

CREATE TABLE node_memory_peaks (
  node        TEXT NOT NULL,
  function_id INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  mb          INTEGER NOT NULL,
  PRIMARY KEY (function_id, at, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_memory_peaks_by_time ON node_memory_peaks (at);
`;
