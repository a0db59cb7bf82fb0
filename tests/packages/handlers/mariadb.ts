import mariadb from "npm:mariadb@3.5.4";

let pool;

export default async function (c, ctx) {
  pool ??= mariadb.createPool((await ctx.getSecret("MYSQL_URL")).replace("mysql:", "mariadb:"));
  await pool.query("CREATE TABLE IF NOT EXISTS mariadb_stock (sku VARCHAR(20) PRIMARY KEY, amount INT)");
  await pool.batch("REPLACE INTO mariadb_stock VALUES (?, ?)", [["a-1", 5], ["b-2", 7]]);
  const rows = await pool.query("SELECT sku, amount FROM mariadb_stock ORDER BY sku");
  return c.json([...rows]);
}
