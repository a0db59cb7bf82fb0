import { StringOutputParser } from "npm:@langchain/core@1.4.0/output_parsers";
import { ChatPromptTemplate } from "npm:@langchain/core@1.4.0/prompts";
import { ChatOpenAI } from "npm:@langchain/openai@1.6.0";

export default async function (c, ctx) {
  const model = new ChatOpenAI({
    model: "gpt-4o-mini",
    apiKey: await ctx.getSecret("API_TOKEN"),
    configuration: { baseURL: `${await ctx.getSecret("API_URL")}/openai/v1` },
  });
  const chain = ChatPromptTemplate.fromMessages([["human", "Say hello to {name}."]])
    .pipe(model).pipe(new StringOutputParser());
  return c.text(await chain.invoke({ name: "Ada" }));
}
