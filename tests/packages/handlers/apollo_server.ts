import { ApolloServer } from "npm:@apollo/server@5.5.1";

const server = new ApolloServer({
  typeDefs: "type Query { hello(name: String!): String! }",
  resolvers: { Query: { hello: (_, { name }) => `hello, ${name}` } },
});

export default async function (c) {
  const { body } = await server.executeOperation({
    query: "query ($name: String!) { hello(name: $name) }",
    variables: { name: "Ada" },
  });
  return c.json(body.singleResult.data);
}
