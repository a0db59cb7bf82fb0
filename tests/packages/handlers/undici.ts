import { Agent, request } from "npm:undici@8.12.4";

const dispatcher = new Agent({ connections: 4 });

export default async function (c, ctx) {
  const { statusCode, body } = await request(`${await ctx.getSecret("API_URL")}/echo`, {
    method: "POST",
    body: '{"name":"Ada"}',
    dispatcher,
  });
  return c.json({ statusCode, body: (await body.json()).json });
}
