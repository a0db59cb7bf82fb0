import { generateText, streamText } from "npm:ai@7.0.173";
import { createOpenAI } from "npm:@ai-sdk/openai@4.0.118";

export default async function (c, ctx) {
  const openai = createOpenAI({
    apiKey: await ctx.getSecret("API_TOKEN"),
    baseURL: `${await ctx.getSecret("API_URL")}/openai/v1`,
  });
  const model = openai.chat("gpt-4o-mini");
  const { text } = await generateText({ model, prompt: "Say hello." });
  let streamed = "";
  for await (const piece of streamText({ model, prompt: "Say hello." }).textStream) streamed += piece;
  return c.json({ text, streamed });
}
