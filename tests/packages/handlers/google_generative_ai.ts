import { GoogleGenerativeAI } from "npm:@google/generative-ai@0.24.1";

export default async function (c, ctx) {
  const client = new GoogleGenerativeAI(await ctx.getSecret("API_TOKEN"));
  const model = client.getGenerativeModel({ model: "gemini-2.0-flash" }, {
    baseUrl: `${await ctx.getSecret("API_URL")}/gemini`,
  });
  const { response } = await model.generateContent("Say hello.");
  return c.text(response.text());
}
