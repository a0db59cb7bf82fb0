import { Client } from "npm:@elastic/elasticsearch@9.5.1";

export default async function (c, ctx) {
  const client = new Client({
    node: `${await ctx.getSecret("API_URL")}/elastic`,
    auth: { apiKey: await ctx.getSecret("API_TOKEN") },
  });
  const { hits } = await client.search({ index: "books", query: { match: { title: "march" } } });
  return c.json(hits.hits.map(({ _source }) => _source.title));
}
