import sqlite3 from "npm:sqlite3@6.0.1";

export default (c) =>
  new Promise((resolve, reject) => {
    const db = new sqlite3.Database(":memory:");
    db.all("SELECT 1 AS one", (error, rows) => error ? reject(error) : resolve(c.json(rows)));
  });
