// Runs `crude` from its sources: `deno task crude`. static/cli.js is the same as one file.

import manifest from "../../deno.json" with { type: "json" };
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "./start.ts";

const home = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
await start({ version: manifest.version, hono: manifest.imports.hono, home });
