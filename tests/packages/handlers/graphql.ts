import { buildSchema, graphql } from "npm:graphql@17.1.0";

const schema = buildSchema("type Query { user(id: ID!): User } type User { id: ID! name: String! }");
const rootValue = { user: ({ id }) => ({ id, name: "Ada" }) };

export default async function (c) {
  const { data, errors } = await graphql({ schema, source: '{ user(id: "7") { id name } }', rootValue });
  return c.json({ data, errors });
}
