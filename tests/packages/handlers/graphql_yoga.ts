import { createSchema, createYoga } from "npm:graphql-yoga@5.24.1";

const yoga = createYoga({
  graphqlEndpoint: "/graphql",
  schema: createSchema({
    typeDefs: "type Query { add(a: Int!, b: Int!): Int! }",
    resolvers: { Query: { add: (_, { a, b }) => a + b } },
  }),
});

export default () =>
  yoga.fetch("https://example.com/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: "{ add(a: 2, b: 3) }" }),
  });
