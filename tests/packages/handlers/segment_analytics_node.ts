import { Analytics } from "npm:@segment/analytics-node@3.1.0";

export default async function (c, ctx) {
  const analytics = new Analytics({
    writeKey: await ctx.getSecret("API_TOKEN"),
    host: await ctx.getSecret("API_URL"),
    path: "/segment",
  });
  await new Promise((resolve, reject) =>
    analytics.track({ userId: "7", event: "Order Created" }, (error) => error ? reject(error) : resolve())
  );
  await analytics.closeAndFlush();
  return c.json({ sent: true });
}
