// Creates the numbers of log entries by minute and hour, so that a long time is counted without reading its entries, and
// their ids, so that the entries of a time are found without an index of their own. Times are in milliseconds since 1970
// UTC.

const count = (lengthMs: number, functionId: string, groups: string) => `
INSERT INTO log_counts
SELECT ${lengthMs}, ${functionId}, at - at % ${lengthMs} AS period, level, count(*), min(id), max(id)
FROM logs GROUP BY ${groups};`;

export const sql = `
CREATE TABLE log_counts (
  length_ms   INTEGER NOT NULL CHECK (length_ms IN (60000, 3600000)),
  function_id INTEGER NOT NULL,  -- 0: all together
  at          INTEGER NOT NULL,
  level       INTEGER NOT NULL,
  entries     INTEGER NOT NULL,
  first_id    INTEGER NOT NULL,  -- of the entries that were ever counted here
  last_id     INTEGER NOT NULL,
  PRIMARY KEY (length_ms, function_id, at, level)
) STRICT, WITHOUT ROWID;
${
  [60_000, 3_600_000].map((lengthMs) =>
    count(lengthMs, "0", "period, level") + count(lengthMs, "function_id", "function_id, period, level")
  ).join("")
}
`;
