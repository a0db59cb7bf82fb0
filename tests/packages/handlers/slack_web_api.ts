import { WebClient } from "npm:@slack/web-api@8.2.0";

export default async function (c, ctx) {
  const slack = new WebClient(await ctx.getSecret("API_TOKEN"), {
    slackApiUrl: `${await ctx.getSecret("API_URL")}/slack/`,
  });
  const { ok, ts } = await slack.chat.postMessage({ channel: "C7", text: "Deployed." });
  return c.json({ ok, ts });
}
