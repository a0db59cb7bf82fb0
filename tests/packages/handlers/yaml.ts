import { parse, stringify } from "npm:yaml@2.9.1";

export default (c) => c.json({ parsed: parse("a: &x [1, 2]\nb: *x\n"), text: stringify({ on: true, list: ["x"] }) });
