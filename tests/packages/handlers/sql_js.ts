import initSqlJs from "npm:sql.js@1.16.0";

const SQL = await initSqlJs();

export default function (c) {
  const db = new SQL.Database();
  db.run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
  const [{ columns, values }] = db.exec("SELECT * FROM t WHERE a > 1");
  const bytes = db.export().length;
  db.close();
  return c.json({ columns, values, bytes });
}
