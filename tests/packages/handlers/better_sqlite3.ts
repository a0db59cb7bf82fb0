import Database from "npm:better-sqlite3@13.2.0";

const db = new Database(":memory:");

export default (c) => c.json(db.prepare("SELECT 1 AS one").all());
