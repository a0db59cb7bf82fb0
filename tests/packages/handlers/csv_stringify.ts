import { stringify } from "npm:csv-stringify@6.9.0/sync";

export default (c) =>
  c.body(stringify([{ name: "Doe, Jane", age: 36 }], { header: true }), 200, { "Content-Type": "text/csv" });
