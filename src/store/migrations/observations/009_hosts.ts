// Creates the hosts that functions connected to, by day, of this node and of the others.

export const sql = `
CREATE TABLE connected_hosts (
  function_id INTEGER NOT NULL,
  at          INTEGER NOT NULL,  -- when the day begins, in milliseconds since 1970 UTC
  host        TEXT NOT NULL,     -- with its port; * for hosts that cannot be listed, and those beyond the limit
  checks      INTEGER NOT NULL,
  PRIMARY KEY (function_id, at, host)
) STRICT, WITHOUT ROWID;
CREATE INDEX connected_hosts_by_time ON connected_hosts (at);

CREATE TABLE node_connected_hosts (
  node        TEXT NOT NULL,
  function_id INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  host        TEXT NOT NULL,
  checks      INTEGER NOT NULL,
  PRIMARY KEY (function_id, at, host, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_connected_hosts_by_time ON node_connected_hosts (at);

-- One row: since when all hosts are known; 0 if they are not.
CREATE TABLE connected_hosts_begin (at INTEGER NOT NULL) STRICT;
INSERT INTO connected_hosts_begin VALUES (0);

CREATE TABLE node_connected_hosts_begin (
  node TEXT PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
