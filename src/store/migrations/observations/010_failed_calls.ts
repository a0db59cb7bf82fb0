// Creates indexes of the periods with calls that failed, so that finding the functions that fail does not read all counts.

export const sql = `
CREATE INDEX metrics_by_failures ON metrics (length_ms, at, function_id, errors, timeouts) WHERE errors + timeouts > 0;
CREATE INDEX node_metrics_by_failures ON node_metrics (length_ms, at, function_id, errors, timeouts)
  WHERE errors + timeouts > 0;
`;
