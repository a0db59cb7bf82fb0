// Creates the logs: what handlers print and how their calls ended. Ids increase with time and serve as the cursor.

export const sql = `
CREATE TABLE logs (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  function_id INTEGER NOT NULL,
  request_id  TEXT,
  level       INTEGER NOT NULL CHECK (level BETWEEN 0 AND 3),  -- debug, info, warn, error
  event       TEXT NOT NULL,
  message     TEXT NOT NULL,
  duration_ms REAL,
  at          INTEGER NOT NULL  -- milliseconds since 1970 UTC
) STRICT;

CREATE INDEX logs_by_function ON logs (function_id, id);
CREATE INDEX logs_by_request ON logs (request_id, id) WHERE request_id IS NOT NULL;
CREATE INDEX logs_by_level ON logs (level, id);

-- The words of the messages only; the text itself is in the table above.
CREATE VIRTUAL TABLE logs_search USING fts5(message, content='', contentless_delete=1);
`;
