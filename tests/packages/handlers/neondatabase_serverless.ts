import { neon, neonConfig } from "npm:@neondatabase/serverless@1.2.0";

export default async function (c, ctx) {
  const api = await ctx.getSecret("API_URL");
  neonConfig.fetchEndpoint = () => `${api}/neon/sql`;
  const sql = neon("postgresql://app:password@db.example.com/app");
  return c.json(await sql`SELECT name, age FROM users WHERE id = ${7}`);
}
