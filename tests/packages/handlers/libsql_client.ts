import { createClient } from "npm:@libsql/client@0.18.0/web";

export default async function (c, ctx) {
  const client = createClient({
    url: `${await ctx.getSecret("API_URL")}/libsql/`,
    authToken: await ctx.getSecret("API_TOKEN"),
  });
  const { rows, columns } = await client.execute({ sql: "SELECT name FROM users WHERE id = ?", args: [7] });
  return c.json({ columns, rows: rows.map((row) => row.name) });
}
