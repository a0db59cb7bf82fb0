// Finds words that this project does not write, in comments, messages, pages and docs: `deno task check:words [path …]`.

import { fileURLToPath } from "node:url";

interface Habit {
  /** What is not written, as a regular expression; it matches whole words, in any case. */
  readonly pattern: string;
  /** What is written instead. */
  readonly instead: string;
}

interface Exception {
  /** A file, from the root. */
  readonly file: string;
  /** The text in which the word may stand. */
  readonly text: string;
  readonly why: string;
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PLACES = ["src", "workers", "static", "docs", "README.md", "CONTRIBUTING.md", "SECURITY.md", "main.ts"];
const FILES = /\.(?:tsx?|js|css|html|md)$/;
/** Written by others, or by a tool. */
const FOREIGN = /^static\/(?:vendor\/|.*\.min\.|editor\.js|cli\.js|git\.js|swagger)/;

const { habits, exceptions } = JSON.parse(
  Deno.readTextFileSync(new URL("words.json", import.meta.url)),
) as { habits: Habit[]; exceptions: Exception[] };
const patterns = habits.map(({ pattern, instead }) => ({
  pattern: new RegExp(`(?<![\\w-])(?:${pattern})(?![\\w-])`, "giu"),
  instead,
}));

function* filesIn(path: string): Iterable<string> {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(ROOT + path);
  } catch {
    return;
  }
  if (info.isFile) {
    if (FILES.test(path) && !FOREIGN.test(path)) yield path;
    return;
  }
  for (const { name } of Deno.readDirSync(ROOT + path)) yield* filesIn(`${path}/${name}`);
}

const used = new Set<Exception>();
let found = 0;
const wanted = Deno.args.length > 0 ? Deno.args.map((path) => path.replace(/\/$/, "")) : PLACES;
for (const file of wanted.flatMap((place) => [...filesIn(place)])) {
  const lines = Deno.readTextFileSync(ROOT + file).split("\n");
  lines.forEach((line, index) => {
    for (const { pattern, instead } of patterns) {
      for (const { 0: word } of line.matchAll(pattern)) {
        const allowed = exceptions.find((one) => one.file === file && line.includes(one.text));
        if (allowed) {
          used.add(allowed);
          continue;
        }
        found++;
        console.log(`${file}:${index + 1}: "${word}" (write ${instead}): ${line.trim().slice(0, 120)}`);
      }
    }
  });
}
if (Deno.args.length === 0) {
  for (const { file, text } of exceptions.filter((one) => !used.has(one))) {
    found++;
    console.log(`words.json: the exception "${text}" in ${file} is not needed`);
  }
}
if (found > 0) {
  console.log(`${found} found; tests/words/words.json is the list.`);
  Deno.exit(1);
}
