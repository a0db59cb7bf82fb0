import { Kysely, PostgresDialect } from "npm:kysely@0.29.9";
import pg from "npm:pg@8.23.1";

let db;

export default async function (c, ctx) {
  db ??= new Kysely({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: await ctx.getSecret("DATABASE_URL") }) }),
  });
  await db.schema.createTable("kysely_pets").ifNotExists()
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("species", "text").execute();
  await db.insertInto("kysely_pets").values([{ name: "Rex", species: "dog" }, { name: "Tom", species: "cat" }])
    .onConflict((conflict) => conflict.doNothing()).execute();
  const cats = await db.selectFrom("kysely_pets").selectAll().where("species", "=", "cat").execute();
  return c.json(cats);
}
