import fetch from "npm:node-fetch@3.3.2";

export default async function (c, ctx) {
  const response = await fetch(`${await ctx.getSecret("API_URL")}/echo`, { method: "POST", body: '{"name":"Ada"}' });
  return c.json((await response.json()).json);
}
