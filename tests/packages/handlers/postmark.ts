import { ServerClient } from "npm:postmark@5.1.0";

export default async function (c, ctx) {
  const { host } = new URL(await ctx.getSecret("API_URL"));
  const client = new ServerClient(await ctx.getSecret("API_TOKEN"), { requestHost: host, useHttps: false });
  const { MessageID } = await client.sendEmail({
    From: "shop@example.com",
    To: "ada@example.com",
    Subject: "Welcome",
    TextBody: "Hello",
  });
  return c.json({ id: MessageID });
}
