import { PgBoss } from "npm:pg-boss@12.38.0";

export default async function (c, ctx) {
  const boss = new PgBoss({ connectionString: await ctx.getSecret("DATABASE_URL"), schema: "pgboss_test" });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue("mails");
  await boss.send("mails", { to: "ada@example.com" });
  const [job] = await boss.fetch("mails");
  await boss.complete("mails", job.id);
  await boss.stop({ graceful: false });
  return c.json(job.data);
}
