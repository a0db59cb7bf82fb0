import { PGlite } from "npm:@electric-sql/pglite@0.5.16";

let db;

export default async function (c) {
  db ??= await PGlite.create();
  await db.exec("CREATE TABLE IF NOT EXISTS t (id serial PRIMARY KEY, v text)");
  await db.query("INSERT INTO t (v) VALUES ($1)", ["in the process"]);
  const { rows } = await db.query("SELECT v FROM t ORDER BY id LIMIT 1");
  return c.json(rows);
}
