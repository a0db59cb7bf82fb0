import { Client } from "npm:@notionhq/client@5.26.0";

export default async function (c, ctx) {
  const notion = new Client({
    auth: await ctx.getSecret("API_TOKEN"),
    baseUrl: `${await ctx.getSecret("API_URL")}/notion`,
  });
  const page = await notion.pages.retrieve({ page_id: "p7" });
  return c.json({ id: page.id });
}
