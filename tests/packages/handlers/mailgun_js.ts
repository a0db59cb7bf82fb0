import Mailgun from "npm:mailgun.js@14.0.1";

export default async function (c, ctx) {
  const mailgun = new Mailgun(FormData).client({
    username: "api",
    key: await ctx.getSecret("API_TOKEN"),
    url: `${await ctx.getSecret("API_URL")}/mailgun`,
  });
  const { id } = await mailgun.messages.create("example.com", {
    from: "shop@example.com",
    to: ["ada@example.com"],
    subject: "Welcome",
    text: "Hello",
  });
  return c.json({ id });
}
