// Runs `crude` from its sources: `deno task crude`. static/cli.js is the same as one file.

import manifest from "../../deno.json" with { type: "json" };
import { start } from "./start.ts";

await start({ version: manifest.version, hono: manifest.imports.hono });
