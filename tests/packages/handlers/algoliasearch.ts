import { algoliasearch } from "npm:algoliasearch@5.64.0";

export default async function (c, ctx) {
  const { host } = new URL(await ctx.getSecret("API_URL"));
  const client = algoliasearch("app", await ctx.getSecret("API_TOKEN"), {
    hosts: [{ url: host, accept: "readWrite", protocol: "http" }],
  });
  const { hits } = await client.searchSingleIndex({ indexName: "books", searchParams: { query: "march" } });
  return c.json(hits.map(({ title }) => title));
}
