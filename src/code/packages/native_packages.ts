// Finds packages with native code, which functions cannot load, by their files and by their entries in the lock.

import { join } from "node:path";
import { dependenciesOf, type Lock, nameOf, neededBy } from "./lock.ts";

/** Alternatives. All versions of the packages listed need native code; others may work without theirs. */
const INSTEAD: Readonly<Record<string, string>> = {
  "@mongodb-js/zstd": "fzstd",
  "@napi-rs/canvas": "pureimage",
  "@node-rs/argon2": "hash-wasm",
  "@node-rs/bcrypt": "bcryptjs",
  "@node-rs/xxhash": "xxhash-wasm",
  "@prisma/client": "kysely or drizzle-orm",
  "@resvg/resvg-js": "@resvg/resvg-wasm",
  "@swc/core": "@swc/wasm-typescript",
  "@tensorflow/tfjs-node": "@tensorflow/tfjs",
  "argon2": "hash-wasm",
  "bcrypt": "bcryptjs",
  "better-sqlite3": "sql.js",
  "canvas": "pureimage",
  "classic-level": "memory-level",
  "esbuild": "esbuild-wasm",
  "leveldown": "memory-level",
  "libxmljs": "fast-xml-parser",
  "libxmljs2": "fast-xml-parser",
  "lightningcss": "lightningcss-wasm",
  "node-rdkafka": "kafkajs",
  "node-sass": "sass",
  "onnxruntime-node": "onnxruntime-web",
  "re2": "re2js",
  "rollup": "@rollup/wasm-node",
  "sass-embedded": "sass",
  "sharp": "jimp",
  "snappy": "snappyjs",
  "sodium-native": "libsodium-wrappers",
  "sqlite3": "sql.js",
};
/** Folders of packages that contain compiled code. */
const PLACES = ["", "build/Release", "lib", "lib/binding", "bin", "dist", "native"];

/** Cached by folder, as the files of a version never change. */
const known = new Map<string, boolean>();

/**
 * Returns the names of the packages with native code that the graph needs, except optional ones. `roots` are the ids
 * that modules import; `folderOf` returns the folder of a version.
 */
export function nativePackages(
  lock: Lock,
  roots: Iterable<string>,
  folderOf: (id: string) => string | undefined,
): string[] {
  const needed = new Set(roots);
  for (const id of needed) {
    for (const other of neededBy(lock.npm[id])) needed.add(other);
  }
  const found = [...needed].filter((id) => {
    const folder = folderOf(id);
    return folder !== undefined && (hasPlatforms(lock, id) || hasNativeFiles(folder));
  });
  return [...new Set(found.map(nameOf))].sort();
}

/** Reports whether a package is known not to work without its native code. */
export function isHopeless(name: string): boolean {
  return name in INSTEAD;
}

/** Returns a sentence for the author of a function that needs the package. */
export function nativeSentence(name: string): string {
  const instead = INSTEAD[name];
  return `${name} needs native code, which functions cannot run${instead ? `; use ${instead} instead` : ""}.`;
}

/** Reports whether it has optional packages of its own for platforms, as packages built with napi-rs do. */
function hasPlatforms(lock: Lock, id: string): boolean {
  const name = nameOf(id);
  // `@swc/core` has `@swc/core-linux-x64-gnu`, `esbuild` has `@esbuild/linux-x64`, `sharp` has `@img/sharp-linux-x64`.
  const stem = name.replace(/^@[^/]+\//, "");
  return (lock.npm[id]?.optionalDependencies ?? []).map((one) => dependenciesOf({ dependencies: [one] })[0]!)
    .some((other) => {
      const { os, cpu } = lock.npm[other] ?? {};
      return (os !== undefined || cpu !== undefined) && cpu !== undefined && nameOf(other).includes(stem);
    });
}

function hasNativeFiles(folder: string): boolean {
  const before = known.get(folder);
  if (before !== undefined) return before;
  const found = isBuilt(folder) || PLACES.some((place) => namesIn(join(folder, place)).some(isNative)) ||
    namesIn(join(folder, "prebuilds")).some((name) => namesIn(join(folder, "prebuilds", name)).some(isNative));
  known.set(folder, found);
  return found;
}

/** Reports whether it would be compiled at installation. */
function isBuilt(folder: string): boolean {
  if (namesIn(folder).includes("binding.gyp")) return true;
  try {
    const { gypfile, scripts } = JSON.parse(Deno.readTextFileSync(join(folder, "package.json")));
    const install = [scripts?.preinstall, scripts?.install, scripts?.postinstall].join(" ");
    return gypfile === true || /\b(?:node-gyp|node-pre-gyp|prebuild-install|cmake-js|node-gyp-build)\b/.test(install);
  } catch {
    return false;
  }
}

function isNative(name: string): boolean {
  return name.endsWith(".node");
}

function namesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}
