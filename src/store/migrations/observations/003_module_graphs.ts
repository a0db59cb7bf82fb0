// Creates the cache of handlers' module graphs, so that they need not be computed again after a restart.

export const sql = `
CREATE TABLE module_graphs (
  handler TEXT NOT NULL UNIQUE,  -- path in the code folder
  graph   TEXT NOT NULL          -- JSON, as src/functions/kept_graphs.ts writes it
) STRICT;
`;
