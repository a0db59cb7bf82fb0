import { PostHog } from "npm:posthog-node@5.70.0";

export default async function (c, ctx) {
  const posthog = new PostHog("phc_test", {
    host: `${await ctx.getSecret("API_URL")}/posthog`,
    flushAt: 1,
    disableGeoip: true,
  });
  posthog.capture({ distinctId: "7", event: "order created" });
  await posthog.shutdown();
  return c.json({ sent: true });
}
