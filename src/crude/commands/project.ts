// Implements `crude init` and `crude types`: a project's first files, and the types of its handlers.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { choose } from "../base/connect.ts";
import type { Command, Context, Given } from "../base/command.ts";
import { CrudeError, messageOf, wrongUsage } from "../base/errors.ts";
import { allSecrets } from "../base/listing.ts";
import { count } from "../base/text.ts";
import {
  declarations,
  DENO_FILE,
  denoConfig,
  IMPORTS,
  projectFiles,
  TESTING_FILE,
  testingModule,
  TYPES_FILE,
} from "../project/template.ts";

const init: Command = {
  name: "init",
  positionals: [{ name: "DIR", optional: true }],
  help: [
    "Write a first function with its test, and what deploy, editors and Deno need.",
    "No file that exists is changed. No server is needed.",
  ],
  // deno-lint-ignore require-await
  async run(context, given) {
    const dir = resolve(context.cwd, given.positionals[0] ?? ".");
    const files = Object.entries(projectFiles(context.hono, chosenUrl(context, given)));
    const existing = files.map(([name]) => name).filter((name) => existsSync(join(dir, name)));
    if (existing.length > 0) {
      throw new CrudeError(`There is already ${existing.join(", ")} in ${dir}. Nothing was written.`, {
        code: "Exists",
      });
    }
    for (const [name, text] of files) write(dir, name, text);
    const there = relative(context.cwd, dir);
    return {
      json: { dir, files: files.map(([name]) => name) },
      lines: [
        ...files.map(([name]) => `created ${join(there, name)}`),
        "",
        `Next: ${there === "" ? "" : `cd ${there}; `}deno task check; deno task test; crude deploy`,
      ],
    };
  },
};

/** The server's address, if the user is signed in to one. */
function chosenUrl({ env, profiles }: Context, given: Given): string | undefined {
  try {
    return choose({ profile: given.text("profile"), url: given.text("url"), env, profiles }).url;
  } catch (error) {
    if (given.text("profile") !== undefined) throw error;
    return undefined;
  }
}

const types: Command = {
  name: "types",
  positionals: [{ name: "DIR", optional: true }],
  help: [
    `Write ${TYPES_FILE}: the types of handlers, and the names of the secrets that exist.`,
    `Also ${TESTING_FILE}, for tests, and ${DENO_FILE}, if there is none.`,
  ],
  async run(context, given) {
    const dir = resolve(context.cwd, given.positionals[0] ?? ".");
    if (!existsSync(dir)) throw wrongUsage(`There is no folder ${dir}.`);
    const secrets = await allSecrets(await context.connect());
    const secretNames = [...new Set(secrets.map(({ name }) => name))].sort();
    write(dir, TYPES_FILE, declarations(context.hono, secretNames));
    write(dir, TESTING_FILE, testingModule(context.hono));
    const config = join(dir, DENO_FILE);
    const isNew = !existsSync(config) && !existsSync(`${config}c`);
    if (isNew) write(dir, DENO_FILE, denoConfig());
    const missing = isNew ? [] : missingImports(existsSync(config) ? config : `${config}c`);
    const files = [TYPES_FILE, TESTING_FILE, ...(isNew ? [DENO_FILE] : [])];
    return {
      json: { dir, files, secrets: secretNames, missingImports: missing },
      lines: [
        `Wrote ${files.join(", ")} with ${count(secretNames.length, "name of a secret", "names of secrets")}.`,
        ...missing.map((name) => `Add to "imports" of ${DENO_FILE}: "${name}": "${IMPORTS[name]}"`),
      ],
    };
  },
};

/** The names of IMPORTS that a deno.json lacks. It may have comments, so it is searched, not parsed. */
function missingImports(config: string): string[] {
  const text = readFileSync(config, "utf8");
  return Object.keys(IMPORTS).filter((name) => !text.includes(`"${name}"`));
}

function write(dir: string, name: string, text: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, name), text);
  } catch (error) {
    throw wrongUsage(`${join(dir, name)} cannot be written: ${messageOf(error)}`);
  }
}

export const projectCommands: readonly Command[] = [init, types];
