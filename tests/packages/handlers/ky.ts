import ky from "npm:ky@2.1.0";

export default async function (c, ctx) {
  const api = await ctx.getSecret("API_URL");
  const { json } = await ky.post(`${api}/echo`, { json: { name: "Ada" } }).json();
  const missing = await ky(`${api}/status/404`, { retry: 0 }).catch(({ name }) => name);
  return c.json({ body: json, missing });
}
