import { DataSource, EntitySchema } from "npm:typeorm@1.1.1";
import pg from "npm:pg@8.23.1";

const Note = new EntitySchema({
  name: "Note",
  tableName: "typeorm_notes",
  columns: { id: { type: Number, primary: true, generated: true }, text: { type: String } },
});

let source;

export default async function (c, ctx) {
  source ??= await new DataSource({
    type: "postgres",
    url: await ctx.getSecret("DATABASE_URL"),
    driver: pg,
    entities: [Note],
    synchronize: true,
  }).initialize();
  const notes = source.getRepository(Note);
  const { id } = await notes.save({ text: "remember the milk" });
  const found = await notes.findOneBy({ id });
  return c.json({ text: found.text });
}
