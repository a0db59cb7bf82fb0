import { LinearClient } from "npm:@linear/sdk@98.0.0";

export default async function (c, ctx) {
  const linear = new LinearClient({
    apiKey: await ctx.getSecret("API_TOKEN"),
    apiUrl: `${await ctx.getSecret("API_URL")}/linear/graphql`,
  });
  const { name } = await linear.viewer;
  return c.json({ name });
}
