import pg from "npm:pg@8.23.1";

let pool;

export default async function (c, ctx) {
  pool ??= new pg.Pool({ connectionString: await ctx.getSecret("DATABASE_URL"), max: 4 });
  await pool.query(
    "CREATE TABLE IF NOT EXISTS pg_orders (id serial PRIMARY KEY, item text, price numeric, data jsonb)",
  );
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const { rows: [order] } = await client.query(
      "INSERT INTO pg_orders (item, price, data) VALUES ($1, $2, $3) RETURNING id",
      ["café", "12.50", { tags: ["a", "b"] }],
    );
    await client.query("COMMIT");
    const { rows } = await client.query("SELECT item, price, data FROM pg_orders WHERE id = $1", [order.id]);
    return c.json(rows[0]);
  } finally {
    client.release();
  }
}
