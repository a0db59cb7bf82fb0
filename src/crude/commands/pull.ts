// Implements `crude pull`: writes the server's files and functions into a folder.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Client } from "../base/client.ts";
import type { Command } from "../base/command.ts";
import { CrudeError, messageOf, wrongUsage } from "../base/errors.ts";
import { groups } from "../base/owners.ts";
import { count, visibleLine } from "../base/text.ts";
import { isNeverUploaded } from "../project/ignore.ts";
import { mapSome, sha256Of } from "../project/local_files.ts";
import { PROJECT_FILE, serverFile } from "./deploy.ts";

const DOWNLOADED_AT_ONCE = 8;
/** The fields of a function that its entry in crude.json has, with what they are if they are left out. */
const ENTRY_FIELDS: Readonly<Record<string, unknown>> = {
  description: "",
  handler: undefined,
  route: undefined,
  methods: ["GET"],
  keys: [],
  permissions: { net: true },
  secrets: ["*"],
  isolation: "shared",
  responseGuard: "report",
  cors: null,
  timeoutMs: null,
  memoryMb: null,
  files: [],
  trial: undefined,
};

const pull: Command = {
  name: "pull",
  positionals: [{ name: "DIR", optional: true }],
  options: { yes: { type: "boolean", short: "y", help: "do not ask before files here are replaced" } },
  help: [
    "Write the server's files into a folder, and its functions into crude.json.",
    "Files that are only here stay. Those that differ are replaced after a question, or with --yes.",
  ],
  async run(context, given) {
    const dir = resolve(context.cwd, given.positionals[0] ?? ".");
    const client = await context.connect();
    const { files } = await client.get("/api/files");
    const paths = (files as { path: string }[]).map(({ path }) => path).filter(isSafe);
    mkdirSync(dir, { recursive: true });
    let done = 0;
    const read = await mapSome(paths, DOWNLOADED_AT_ONCE, async (path) => {
      const content = await serverFile(client, path);
      context.terminal.progress("Downloading", ++done, paths.length);
      return [path, content] as const;
    });
    const contents = new Map(read);
    contents.set(PROJECT_FILE, await projectFile(client, contents.get(PROJECT_FILE)));
    const { created, changed, unchanged } = compare(contents, dir);
    if (changed.length > 0 && !given.flag("yes")) {
      for (const path of changed) context.note(`~ ${visibleLine(path)}`);
      const question = `Replace ${count(changed.length, "file")} here by the server's?`;
      if (!await context.terminal.confirm(question)) throw new CrudeError("Nothing was written.", { code: "Declined" });
    }
    for (const path of [...created, ...changed]) write(join(dir, path), contents.get(path)!);
    return {
      json: { dir, files: { created, changed, unchanged } },
      lines: [
        ...created.map((path) => `+ ${visibleLine(path)}`),
        ...changed.map((path) => `~ ${visibleLine(path)}`),
        `${count(unchanged, "file")} unchanged.`,
      ],
    };
  },
};

/** What a server names is not trusted to be in the folder, nor to be no file that a program would run or read there. */
function isSafe(path: string): boolean {
  const names = path.split("/");
  // deno-lint-ignore no-control-regex
  const isWrong = (name: string) => name === "" || name === "." || name === ".." || /[\\:\x00-\x1f]/.test(name);
  return !names.some((name) => isWrong(name) || isNeverUploaded(name));
}

function compare(contents: ReadonlyMap<string, Uint8Array>, dir: string) {
  const [created, changed]: [string[], string[]] = [[], []];
  for (const [path, content] of [...contents].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const here = contentHere(join(dir, path));
    if (here === undefined) created.push(path);
    else if (sha256Of(here) !== sha256Of(content)) changed.push(path);
  }
  return { created, changed, unchanged: contents.size - created.length - changed.length };
}

/** Also of files that are never uploaded, or ignored: they are not replaced without a question either. */
function contentHere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw wrongUsage(`${path} cannot be read: ${messageOf(error)}`);
  }
}

/** Returns crude.json with the functions as they are on the server now; the rest of the file stays. */
async function projectFile(client: Client, stored: Uint8Array | undefined): Promise<Uint8Array> {
  const { functions } = await client.get("/api/functions");
  const names = new Map((await groups(client)).map(({ id, name }) => [id, name]));
  const entries = Object.fromEntries(
    functions.map((one: Record<string, unknown>) => [one["name"], entryOf(one, names)]),
  );
  const text = stored && new TextDecoder().decode(stored);
  const before = parse(text);
  const after = { ...before, functions: entries };
  // A file that says the same is left as it was written.
  if (text !== undefined && sorted(before) === sorted(after)) return stored!;
  return new TextEncoder().encode(`${JSON.stringify(after, null, 2)}\n`);
}

function entryOf(one: Readonly<Record<string, unknown>>, names: ReadonlyMap<number, string>): Record<string, unknown> {
  const fields: Record<string, unknown> = {
    ...one,
    keys: (one["keys"] as number[]).map((id) => names.get(id) ?? id),
    permissions: { net: (one["permissions"] as { net: unknown }).net },
  };
  const kept = Object.entries(ENTRY_FIELDS).filter(([name, usual]) => sorted(fields[name]) !== sorted(usual));
  return Object.fromEntries(kept.map(([name]) => [name, fields[name]]));
}

function parse(text: string | undefined): Record<string, unknown> {
  try {
    const value = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** JSON in which the order of fields does not count. */
function sorted(value: unknown): string {
  return JSON.stringify(
    value,
    (_, part) =>
      typeof part === "object" && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
  ) ?? "undefined";
}

function write(path: string, content: Uint8Array): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  } catch (error) {
    throw wrongUsage(`${path} cannot be written: ${messageOf(error)}`);
  }
}

export const pullCommands: readonly Command[] = [pull];
