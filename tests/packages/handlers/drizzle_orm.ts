import { eq, sql } from "npm:drizzle-orm@0.45.4";
import { drizzle } from "npm:drizzle-orm@0.45.4/postgres-js";
import { integer, pgTable, serial, text } from "npm:drizzle-orm@0.45.4/pg-core";
import postgres from "npm:postgres@3.4.9";

const books = pgTable("drizzle_books", {
  id: serial("id").primaryKey(),
  title: text("title").notNull(),
  year: integer("year"),
});

let db;

export default async function (c, ctx) {
  db ??= drizzle(postgres(await ctx.getSecret("DATABASE_URL"), { onnotice: () => {} }));
  await db.execute(
    sql`CREATE TABLE IF NOT EXISTS drizzle_books (id serial PRIMARY KEY, title text NOT NULL, year int)`,
  );
  const [{ id }] = await db.insert(books).values({ title: "Middlemarch", year: 1871 }).returning({ id: books.id });
  const [book] = await db.select({ title: books.title, year: books.year }).from(books).where(eq(books.id, id));
  return c.json(book);
}
