import { ofetch } from "npm:ofetch@1.5.1";

export default async function (c, ctx) {
  const { json } = await ofetch("/echo", {
    baseURL: await ctx.getSecret("API_URL"),
    method: "POST",
    body: { name: "Ada" },
  });
  return c.json(json);
}
