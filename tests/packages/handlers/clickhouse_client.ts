import { createClient } from "npm:@clickhouse/client@1.23.1";

export default async function (c, ctx) {
  const client = createClient({
    url: await ctx.getSecret("API_URL"),
    pathname: "/clickhouse",
    password: await ctx.getSecret("API_TOKEN"),
  });
  const rows = await client.query({
    query: "SELECT page, count() AS views FROM visits GROUP BY page",
    format: "JSONEachRow",
  });
  return c.json(await rows.json());
}
