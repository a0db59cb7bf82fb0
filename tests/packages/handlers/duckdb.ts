import duckdb from "npm:duckdb@1.4.4";

export default (c) =>
  new Promise((resolve) =>
    new duckdb.Database(":memory:").all("SELECT 1 AS one", (_error, rows) => resolve(c.json(rows)))
  );
