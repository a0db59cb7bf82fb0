// What static/editor.js is made from, by its hash, so that a bundle that was forgotten is noticed.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("./", import.meta.url);
/** Those that make the bundle are not in it. */
const TOOLS = ["bundle.ts", "sources.ts"];

/** SHA-256 of the editor's sources and of the versions that its packages are pinned to. */
export function sourcesHash(): string {
  const names = readdirSync(FOLDER).filter((name) => /\.ts$|^deno\.(?:json|lock)$/.test(name) && !TOOLS.includes(name));
  const hash = createHash("sha256");
  for (const name of names.sort()) {
    hash.update(name).update("\0").update(readFileSync(new URL(name, FOLDER))).update("\0");
  }
  return hash.digest("hex");
}

/** The first lines of a bundle made from these. */
export function bundleMark(): string {
  return `// Made by "deno task bundle" from editor/: ${sourcesHash()}\n// Contains CodeMirror, under the licence in editor.LICENSE.txt.`;
}
