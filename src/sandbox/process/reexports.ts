// Adapts the copies of CommonJS files that re-export what they require. To find the names that such a file exports, Deno
// 2.9 resolves its re-exports as if it were in a package, and fails to load it if one is a package or built into Node
// (libs/node_resolver/analyze.rs). Calls of `require` are not affected.

import { dirname, join } from "node:path";

/** White space and comments between tokens. */
const GAP = "(?:\\s|/\\*[^*]*\\*/)*";
const REQUIRE = `require${GAP}\\(${GAP}(?:"([^"\\n]+)"|'([^'\\n]+)')`;
/**
 * What Deno takes for re-exports (those of https://github.com/nodejs/cjs-module-lexer): `module.exports = require("a")`,
 * `...require("a")`, and `__exportStar(require("a"), exports)`, which compilers write. Over-approximates, as comments and
 * texts are searched, too.
 */
const REEXPORT = new RegExp(
  `(?:exports["'\`]?${GAP}\\]?${GAP}=|\\.\\.\\.|__export(?:Star)?${GAP}\\)?${GAP}\\()${GAP}${REQUIRE}`,
  "g",
);
/** Another form of compilers: `var _a = require("a"); Object.keys(_a).forEach(...)`. */
const COPIED_KEYS = /\bObject\s*\.\s*keys\s*\(\s*[\w$]+\s*\)\s*\.\s*forEach\b/;
const ASSIGNED = new RegExp(`=${GAP}(?:[\\w$.]+${GAP}\\(${GAP})?${REQUIRE}`, "g");
/** As Deno tries them. */
const ENDINGS = ["", ".js", ".json", "/index.js"];

/**
 * Returns what to append to the file at `path`, which contains `content`, so that Deno can load it; "" for most files.
 * `files` contains the paths of all files that are copied. The names that a package exports are then not found, so that
 * importing modules get them only with the default export; those of other files of the function are.
 */
export function reexportFix(path: string, content: Uint8Array, files: ReadonlySet<string>): string {
  if (!/\.c?js$/.test(path)) return "";
  const specifiers = new Set(reexportsOf(new TextDecoder().decode(content)));
  const found = [...specifiers].filter((specifier) => isFound(path, specifier, files));
  if (found.length === specifiers.size) return "";
  // An assignment of a re-export replaces all earlier ones, and Deno ignores one of the file itself.
  const itself = `./${path.slice(dirname(path).length + 1)}`;
  const others = found.map((specifier) => `__exportStar(require(${JSON.stringify(specifier)}));`);
  return `\nif (0) { module.exports = require(${JSON.stringify(itself)}); ${others.join(" ")} }\n`;
}

function* reexportsOf(source: string): Generator<string> {
  const patterns = COPIED_KEYS.test(source) ? [REEXPORT, ASSIGNED] : [REEXPORT];
  for (const pattern of patterns) {
    for (const [, quoted, single] of source.matchAll(pattern)) yield (quoted ?? single)!;
  }
}

/** Reports whether Deno finds what a file requires, without its import map. */
function isFound(path: string, specifier: string, files: ReadonlySet<string>): boolean {
  if (!/^\.{1,2}\//.test(specifier)) return false;
  const target = join(dirname(path), specifier);
  return ENDINGS.some((ending) => files.has(target + ending));
}
