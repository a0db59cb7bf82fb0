import { CohereClientV2 } from "npm:cohere-ai@8.1.0";

export default async function (c, ctx) {
  const cohere = new CohereClientV2({
    token: await ctx.getSecret("API_TOKEN"),
    environment: `${await ctx.getSecret("API_URL")}/cohere`,
  });
  const { message } = await cohere.chat({ model: "command-r", messages: [{ role: "user", content: "Say hello." }] });
  return c.text(message.content[0].text);
}
