import { gql, GraphQLClient } from "npm:graphql-request@7.4.0";

export default async function (c, ctx) {
  const client = new GraphQLClient(`${await ctx.getSecret("API_URL")}/graphql`, {
    headers: { Authorization: `Bearer ${await ctx.getSecret("API_TOKEN")}` },
  });
  return c.json(await client.request(gql`query ($id: ID!) { user(id: $id) { name } }`, { id: "7" }));
}
