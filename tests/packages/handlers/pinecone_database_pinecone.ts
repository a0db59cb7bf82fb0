import { Pinecone } from "npm:@pinecone-database/pinecone@9.0.0";

export default async function (c, ctx) {
  const pinecone = new Pinecone({
    apiKey: await ctx.getSecret("API_TOKEN"),
    controllerHostUrl: `${await ctx.getSecret("API_URL")}/pinecone`,
  });
  const { indexes } = await pinecone.listIndexes();
  return c.json(indexes.map(({ name, dimension }) => ({ name, dimension })));
}
