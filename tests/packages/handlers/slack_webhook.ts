import { IncomingWebhook } from "npm:@slack/webhook@8.0.2";

export default async function (c, ctx) {
  const webhook = new IncomingWebhook(`${await ctx.getSecret("API_URL")}/slack/hook`);
  return c.json(await webhook.send({ text: "Deployed." }));
}
