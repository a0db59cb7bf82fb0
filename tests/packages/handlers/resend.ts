import { Resend } from "npm:resend@6.38.0";

export default async function (c, ctx) {
  const resend = new Resend(await ctx.getSecret("API_TOKEN"), { baseUrl: `${await ctx.getSecret("API_URL")}/resend` });
  const { data, error } = await resend.emails.send({
    from: "shop@example.com",
    to: "ada@example.com",
    subject: "Welcome",
    html: "<p>Hello</p>",
  });
  return c.json({ data, error });
}
