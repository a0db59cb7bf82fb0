import { Redis } from "npm:@upstash/redis@1.39.0";

export default async function (c, ctx) {
  const redis = new Redis({
    url: `${await ctx.getSecret("API_URL")}/upstash`,
    token: await ctx.getSecret("API_TOKEN"),
  });
  await redis.set("user:7", { name: "Ada" });
  return c.json({ user: await redis.get("user:7") });
}
