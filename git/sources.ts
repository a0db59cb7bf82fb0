// What static/git.js is made from, by its hash, so that a bundle that was forgotten is noticed.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const FILES = [
  "deno.json",
  "deno.lock",
  "fetch.ts",
  "http.ts",
  "../src/code/files/importable.ts",
  "../src/code/git/job.ts",
];

/** The first line of a bundle made from these. */
export function bundleMark(): string {
  const hash = createHash("sha256");
  for (const name of FILES) {
    hash.update(name).update("\0").update(readFileSync(new URL(name, import.meta.url))).update("\0");
  }
  return `// Made by "deno task bundle:git" from git/: ${hash.digest("hex")}\n` +
    "// Contains isomorphic-git and what it depends on, under the licences in git.LICENSE.txt.";
}
