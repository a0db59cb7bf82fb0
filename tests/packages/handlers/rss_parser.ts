import Parser from "npm:rss-parser@3.13.0";

export default async function (c, ctx) {
  const feed = await new Parser().parseURL(`${await ctx.getSecret("API_URL")}/feed.xml`);
  return c.json({ title: feed.title, items: feed.items.map(({ title }) => title) });
}
