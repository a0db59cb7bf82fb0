import { transform } from "npm:esbuild@0.28.2";

export default async (c) => c.text((await transform("let x: number = 1", { loader: "ts" })).code);
