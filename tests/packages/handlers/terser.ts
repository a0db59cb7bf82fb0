import { minify } from "npm:terser@5.51.2";

export default async (c) => c.text((await minify("function add(first, second) { return first + second; }")).code);
