import { GoogleGenAI } from "npm:@google/genai@3.1.0";

export default async function (c, ctx) {
  const client = new GoogleGenAI({
    apiKey: await ctx.getSecret("API_TOKEN"),
    httpOptions: { baseUrl: `${await ctx.getSecret("API_URL")}/gemini` },
  });
  const { text } = await client.models.generateContent({ model: "gemini-2.0-flash", contents: "Say hello." });
  return c.text(text);
}
