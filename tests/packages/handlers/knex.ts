import knex from "npm:knex@3.3.0";
// Knex loads the driver of its client by name.
import "npm:mysql2@3.24.5";

let db;

export default async function (c, ctx) {
  db ??= knex({ client: "mysql2", connection: await ctx.getSecret("MYSQL_URL") });
  if (!await db.schema.hasTable("knex_tasks")) {
    await db.schema.createTable("knex_tasks", (table) => {
      table.increments();
      table.string("title");
      table.boolean("done").defaultTo(false);
    });
  }
  await db("knex_tasks").del();
  await db("knex_tasks").insert([{ title: "write" }, { title: "test", done: true }]);
  return c.json(await db("knex_tasks").where({ done: true }).pluck("title"));
}
