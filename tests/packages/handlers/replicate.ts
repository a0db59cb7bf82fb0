import Replicate from "npm:replicate@1.4.0";

export default async function (c, ctx) {
  const replicate = new Replicate({
    auth: await ctx.getSecret("API_TOKEN"),
    baseUrl: `${await ctx.getSecret("API_URL")}/replicate`,
  });
  const prediction = await replicate.predictions.create({ version: "v1", input: { prompt: "a red lamp" } });
  const { output } = await replicate.wait(prediction, { interval: 20 });
  return c.json({ output });
}
