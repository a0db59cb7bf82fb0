import OpenAI from "npm:openai@7.55.0";

export default async function (c, ctx) {
  const openai = new OpenAI({
    apiKey: await ctx.getSecret("API_TOKEN"),
    baseURL: `${await ctx.getSecret("API_URL")}/openai/v1`,
  });
  const messages = [{ role: "user", content: "Say hello." }];
  const { choices } = await openai.chat.completions.create({ model: "gpt-4o-mini", messages });
  let streamed = "";
  for await (const chunk of await openai.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true })) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
  }
  return c.json({ answer: choices[0].message.content, streamed });
}
