import type { PackageCase } from "../package_case.ts";

export const FORMATS: readonly PackageCase[] = [
  { package: "fflate", does: "writes and reads a ZIP archive", answer: [["a.txt", "one"], ["b/c.txt", "two"]] },
  { package: "jszip", does: "writes and reads a ZIP archive", answer: "Hello" },
  { package: "adm-zip", does: "writes and reads a ZIP archive", answer: ["a.txt"] },
  { package: "archiver", does: "writes a ZIP archive as a stream", answer: /^PK/ },
  { package: "tar-stream", does: "writes and reads a TAR archive", answer: [["a.txt", "one"]] },
  { package: "pako", does: "deflates and inflates", answer: { small: true, length: 1000 } },
  { package: "lz-string", does: "compresses a text", answer: "a state of a page" },
  { package: "brotli-wasm", does: "compresses and decompresses", answer: "small" },
  {
    package: "protobufjs",
    does: "encodes and decodes a message",
    answer: { length: 8, order: { id: 7, items: ["lamp"] } },
  },
  { package: "msgpackr", does: "encodes and decodes", answer: { a: [1, "two", null], at: true } },
  { package: "avsc", does: "encodes and decodes", answer: { name: "Rex", age: 3 } },
  { package: "quickjs-emscripten", does: "runs JavaScript in an interpreter", answer: { result: "2,4,6" } },
  {
    package: "typescript",
    does: "compiles a module",
    memoryMb: 512,
    answer: "const x = 1;\n",
  },
  { package: "sucrase", does: "compiles a module", answer: "const a = 1;" },
  { package: "@babel/core", does: "compiles a module", answer: "const a = 1;" },
  {
    package: "prettier",
    does: "formats code",
    answer: "const a = { b: 1 };\n",
  },
  { package: "terser", does: "minifies code", answer: "function add(n,d){return n+d}" },
  {
    package: "postcss",
    does: "adds prefixes, with `autoprefixer`",
    answer: "a { -webkit-user-select: none; user-select: none }",
  },
  {
    package: "sass",
    does: "compiles a style sheet",
    answer: "a b {\n  color: red;\n}",
  },
  {
    package: "esbuild",
    does: "compiles a module",
    problem: /native code/,
    reason: "it starts a native program",
    instead: "sucrase or typescript",
  },
  {
    package: "isolated-vm",
    does: "runs JavaScript in another isolate",
    problem: /native code/,
    reason: "it is native code",
    instead: "quickjs-emscripten",
  },
];
