import Redis from "npm:ioredis@6.0.0";

let redis;

export default async function (c, ctx) {
  redis ??= new Redis(await ctx.getSecret("REDIS_URL"), { maxRetriesPerRequest: 1 });
  const key = `rate:${ctx.requestId}`;
  const [[, count], [, ttl]] = await redis.multi().incr(key).expire(key, 60).exec();
  await redis.hset("ioredis:user", { name: "Ada", plan: "pro" });
  return c.json({ count, ttl, user: await redis.hgetall("ioredis:user") });
}
