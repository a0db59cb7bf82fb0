import { evaluate, inv, matrix } from "npm:mathjs@15.2.0";

export default (c) =>
  c.json({ unit: evaluate("5 cm + 2 inch").toString(), inverse: inv(matrix([[2, 0], [0, 4]])).toArray() });
