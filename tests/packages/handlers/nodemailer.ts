import nodemailer from "npm:nodemailer@10.6.0";

let transport;

export default async function (c, ctx) {
  transport ??= nodemailer.createTransport(await ctx.getSecret("SMTP_URL"));
  const { accepted, response } = await transport.sendMail({
    from: "Shop <shop@example.com>",
    to: "ada@example.com",
    subject: "Your order №7",
    html: "<p>It is on its way.</p>",
    attachments: [{ filename: "invoice.txt", content: "12.50 EUR" }],
  });
  return c.json({ accepted, code: response.slice(0, 3) });
}
