import Groq from "npm:groq-sdk@1.6.0";

export default async function (c, ctx) {
  const groq = new Groq({ apiKey: await ctx.getSecret("API_TOKEN"), baseURL: await ctx.getSecret("API_URL") });
  const { choices } = await groq.chat.completions.create({
    model: "llama-3.3-70b-versatile",
    messages: [{ role: "user", content: "Say hello." }],
  });
  return c.text(choices[0].message.content);
}
