// What is appended to copies of CommonJS files, so that Deno can load them.

import assert from "node:assert/strict";
import { reexportFix } from "../../src/sandbox/process/reexports.ts";

const FILES = new Set(["/code/a.js", "/code/lib/b.js", "/code/lib/index.js", "/code/d.json"]);
const fixOf = (source: string, path = "/code/a.js") => reexportFix(path, new TextEncoder().encode(source), FILES);
const ITSELF = 'if (0) { module.exports = require("./a.js");';

Deno.test("a file that re-exports what is no file gets a last re-export, of itself", () => {
  const sources = [
    'module.exports = require("ms");',
    "module . exports = /* all */ require( 'node:fs' ).promises",
    'var ms = exports = module.exports = require("ms")',
    'module["exports"] = require("ms")',
    'module.exports = { ...require("ms"), two: 2 };',
    '__exportStar(require("ms"), exports);',
    '(0, tslib_1.__exportStar)(require("ms"), exports);',
    'var _ms = require("ms"); Object.keys(_ms).forEach(function (key) { exports[key] = _ms[key]; });',
    'module.exports = require("./missing");',
  ];
  for (const source of sources) assert.equal(fixOf(source).trim(), `${ITSELF}  }`, source);
});

Deno.test("re-exports of files stay", () => {
  assert.match(
    fixOf('module.exports = { ...require("ms"), ...require("./lib/b"), ...require("./lib"), ...require("./d.json") };'),
    /__exportStar\(require\("\.\/lib\/b"\)\); __exportStar\(require\("\.\/lib"\)\); __exportStar\(require\("\.\/d\.json"\)\);/,
  );
});

Deno.test("files that Deno can load stay as they are", () => {
  const sources = [
    'const ms = require("ms"); module.exports = ms;',
    'exports.ms = require("ms");',
    'module.exports = require("./lib/b.js");',
    'module.exports = require("./lib"); module.exports.two = 2;',
    "module.exports = { ...ms, ...require(name) };",
    "export const three = 3;",
  ];
  for (const source of sources) assert.equal(fixOf(source), "", source);
  assert.equal(fixOf('module.exports = require("ms");', "/code/lib/c.ts"), "");
});
