import { createClient } from "npm:redis@6.3.1";

let client;

export default async function (c, ctx) {
  if (!client) {
    client = createClient({ url: await ctx.getSecret("REDIS_URL") });
    client.on("error", (error) => console.error(error));
    await client.connect();
  }
  await client.set("redis:session", JSON.stringify({ user: 7 }), { EX: 60 });
  await client.del("redis:list");
  await client.rPush("redis:list", ["a", "b", "c"]);
  return c.json({
    session: JSON.parse(await client.get("redis:session")),
    list: await client.lRange("redis:list", 0, -1),
  });
}
