import axios from "npm:axios@1.21.1";

export default async function (c, ctx) {
  const api = axios.create({
    baseURL: await ctx.getSecret("API_URL"),
    headers: { Authorization: `Bearer ${await ctx.getSecret("API_TOKEN")}` },
  });
  const { data } = await api.post("/echo", { name: "Ada" }, { params: { page: 2 } });
  const missing = await api.get("/status/404").catch(({ response }) => response.status);
  return c.json({ body: data.json, query: data.query, missing });
}
