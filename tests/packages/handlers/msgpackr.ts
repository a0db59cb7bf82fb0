import { pack, unpack } from "npm:msgpackr@2.1.3";

export default (c) => c.json(unpack(pack({ a: [1, "two", null], at: 7n < 8n })));
