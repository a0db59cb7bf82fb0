import postgres from "npm:postgres@3.4.9";

let sql;

export default async function (c, ctx) {
  sql ??= postgres(await ctx.getSecret("DATABASE_URL"), { max: 4, onnotice: () => {} });
  const total = await sql.begin(async (sql) => {
    await sql`CREATE TABLE IF NOT EXISTS postgres_visits (page text PRIMARY KEY, visits int NOT NULL)`;
    await sql`DELETE FROM postgres_visits`;
    await sql`INSERT INTO postgres_visits ${sql([{ page: "/", visits: 3 }, { page: "/about", visits: 4 }])}`;
    const [{ sum }] = await sql`SELECT sum(visits)::int FROM postgres_visits`;
    return sum;
  });
  return c.json({ total });
}
