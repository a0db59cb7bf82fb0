import { Model } from "npm:objection@3.1.5";
import knex from "npm:knex@3.3.0";
import "npm:pg@8.23.1";

class Person extends Model {
  static tableName = "objection_people";
  static jsonSchema = {
    type: "object",
    required: ["name"],
    properties: { id: { type: "integer" }, name: { type: "string", minLength: 2 } },
  };
}

let ready;

async function prepare(connection) {
  const db = knex({ client: "pg", connection });
  Model.knex(db);
  await db.schema.dropTableIfExists("objection_people");
  await db.schema.createTable("objection_people", (table) => {
    table.increments();
    table.string("name");
  });
}

export default async function (c, ctx) {
  ready ??= prepare(await ctx.getSecret("DATABASE_URL"));
  await ready;
  await Person.query().insert({ name: "Grace" });
  const invalid = await Person.query().insert({ name: "x" }).catch((error) => error.type);
  return c.json({ names: (await Person.query()).map(({ name }) => name), invalid });
}
