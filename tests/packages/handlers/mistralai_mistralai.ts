import { Mistral } from "npm:@mistralai/mistralai@2.7.0";

export default async function (c, ctx) {
  const mistral = new Mistral({
    apiKey: await ctx.getSecret("API_TOKEN"),
    serverURL: `${await ctx.getSecret("API_URL")}/openai`,
  });
  const { choices } = await mistral.chat.complete({
    model: "mistral-small-latest",
    messages: [{ role: "user", content: "Say hello." }],
  });
  return c.text(choices[0].message.content);
}
