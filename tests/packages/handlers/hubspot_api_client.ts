import { Client } from "npm:@hubspot/api-client@14.0.1";

export default async function (c, ctx) {
  const hubspot = new Client({
    accessToken: await ctx.getSecret("API_TOKEN"),
    basePath: `${await ctx.getSecret("API_URL")}/hubspot`,
  });
  const { id } = await hubspot.crm.contacts.basicApi.create({ properties: { email: "ada@example.com" } });
  return c.json({ id });
}
