import Anthropic from "npm:@anthropic-ai/sdk@1.10.0";

export default async function (c, ctx) {
  const anthropic = new Anthropic({
    apiKey: await ctx.getSecret("API_TOKEN"),
    baseURL: `${await ctx.getSecret("API_URL")}/anthropic`,
  });
  const message = await anthropic.messages.create({
    model: "claude-sonnet-4-5",
    max_tokens: 64,
    messages: [{ role: "user", content: "Say hello." }],
  });
  return c.text(message.content[0].text);
}
