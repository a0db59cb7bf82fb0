// Makes the addresses of assets. They contain a hash of what all assets consist of, so that browsers keep them for as
// long as they like, and load them again after an update.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { ASSETS } from "./table.ts";

/** The only path that scripts and styles load from; `/run` has the same origin, but is not allowed. */
export const ASSETS_PATH = "/web/assets/";

const FILES = new URL("../../../../static/", import.meta.url);
/** Names the exact versions of the packages that other assets come from. */
const PACKAGES = new URL("../../../../deno.json", import.meta.url);

let version: string | undefined;

/** Returns the hash of all assets. One for all of them, so that scripts import each other by relative addresses. */
export function assetsVersion(): string {
  if (version !== undefined) return version;
  const hash = createHash("sha256").update(readFileSync(PACKAGES));
  for (const name of Object.keys(ASSETS)) {
    const file = new URL(name, FILES);
    if (existsSync(file)) hash.update(`${name}\n`).update(readFileSync(file));
  }
  return version = hash.digest("base64url").slice(0, 12);
}

/** Returns the address of an asset by its name in `ASSETS`. */
export function assetAddress(name: string): string {
  return `${ASSETS_PATH}${assetsVersion()}/${name}`;
}
