import sendgrid from "npm:@sendgrid/mail@8.1.6";

export default async function (c, ctx) {
  sendgrid.setApiKey(await ctx.getSecret("API_TOKEN"));
  sendgrid.client.setDefaultRequest("baseUrl", `${await ctx.getSecret("API_URL")}/sendgrid`);
  const [response] = await sendgrid.send({
    from: "shop@example.com",
    to: "ada@example.com",
    subject: "Welcome",
    text: "Hello",
  });
  return c.json({ status: response.statusCode });
}
