import mysql from "npm:mysql2@3.24.5/promise";

let pool;

export default async function (c, ctx) {
  pool ??= mysql.createPool(await ctx.getSecret("MYSQL_URL"));
  await pool.query("CREATE TABLE IF NOT EXISTS mysql2_users (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80))");
  const [{ insertId }] = await pool.execute("INSERT INTO mysql2_users (name) VALUES (?)", ["Zoë"]);
  const [rows] = await pool.execute("SELECT name FROM mysql2_users WHERE id = ?", [insertId]);
  return c.json(rows);
}
