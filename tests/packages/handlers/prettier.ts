import { format } from "npm:prettier@3.10.1";

export default async (c) => c.text(await format("const a={b:1}", { parser: "babel" }));
