import { createClient } from "npm:contentful@11.12.10";

export default async function (c, ctx) {
  const { host } = new URL(await ctx.getSecret("API_URL"));
  const client = createClient({ space: "space", accessToken: await ctx.getSecret("API_TOKEN"), host, insecure: true });
  const { items } = await client.getEntries({ content_type: "post" });
  return c.json(items.map(({ fields }) => fields.title));
}
