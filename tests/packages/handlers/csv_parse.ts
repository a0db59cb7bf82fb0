import { parse } from "npm:csv-parse@7.0.3";
import { Readable } from "node:stream";

export default async function (c) {
  const rows = [];
  const input = Readable.from(["name;age\n", "Ada;36\n", "Bob;41\n"]);
  for await (const row of input.pipe(parse({ columns: true, delimiter: ";", cast: true }))) rows.push(row);
  return c.json(rows);
}
