// What static/cli.js is made from, by its hash, so that a bundle that was forgotten is noticed.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Release } from "../start.ts";
import manifest from "../../../deno.json" with { type: "json" };

const FOLDER = fileURLToPath(new URL("../", import.meta.url));

/** What the bundle is of. */
export const RELEASE: Release = { version: manifest.version, hono: manifest.imports.hono };

/** SHA-256 of the sources of `crude`, without those that make the bundle, and of its release. */
function sourcesHash(): string {
  const hash = createHash("sha256").update(JSON.stringify(RELEASE));
  const paths = readdirSync(FOLDER, { recursive: true }).map((path) => String(path).replaceAll("\\", "/"));
  for (const path of paths.filter((path) => /\.(?:ts|txt)$/.test(path) && !path.startsWith("bundle/")).sort()) {
    hash.update(path).update("\0").update(readFileSync(join(FOLDER, path))).update("\0");
  }
  return hash.digest("hex");
}

/** The first lines of a bundle made from these. A file without ending can be made executable. */
export function bundleMark(): string {
  return `#!/usr/bin/env node\n// crude ${RELEASE.version}, made by "deno task bundle:cli" from src/crude: ${sourcesHash()}`;
}
