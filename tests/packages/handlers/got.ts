import got from "npm:got@16.1.0";

export default async function (c, ctx) {
  const { json, query } = await got.post(`${await ctx.getSecret("API_URL")}/echo`, {
    json: { name: "Ada" },
    searchParams: { page: 2 },
    headers: { Authorization: `Bearer ${await ctx.getSecret("API_TOKEN")}` },
  }).json();
  return c.json({ body: json, query });
}
