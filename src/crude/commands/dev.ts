// Implements `crude dev`: starts the server itself on a folder of this machine.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command, Context } from "../base/command.ts";
import { CrudeError, EXIT, wrongUsage } from "../base/errors.ts";

const PORT = 8_000;
/** Programs that run Deno, in the order in which they are looked for. */
const NPX = ["npx", "-y"];

const devCommand: Command = {
  name: "dev",
  positionals: [{ name: "DIR", optional: true }],
  options: { port: { type: "string", value: "NUMBER", help: `where it listens, on this machine only (${PORT})` } },
  help: [
    "Run a project on this machine, with the server itself.",
    "Files are used as they are saved. Secrets come from .env, .env.function.NAME, .env.group.NAME and .env.key.NAME,",
    "data is in .crude. CRUDE_HOME is the folder of Crude Functions, which `deno task crude` knows without it.",
  ],
  async run(context, given) {
    if (context.json) throw wrongUsage("dev prints no JSON.");
    const port = given.number("port", 0) ?? PORT;
    const folder = resolve(context.cwd, given.positionals[0] ?? ".");
    if (!existsSync(folder)) throw wrongUsage(`There is no folder ${folder}.`);
    const home = homeOf(context);
    const [program, ...args] = commandOf(home, context);
    const code = await context.runProgram(program!, [...args, join(home, "src", "dev", "main.ts"), folder, `${port}`]);
    if (code !== 0) throw new CrudeError("It ended with an error.", { exitCode: EXIT.failed });
    return undefined;
  },
};

export const devCommands: readonly Command[] = [devCommand];

/** Returns the folder of the program. @throws CrudeError (usage) if it is not known */
function homeOf({ env, home, version, note }: Context): string {
  const folder = env("CRUDE_HOME") ?? home;
  if (folder === undefined) {
    throw wrongUsage(
      "dev runs the server itself, which is not in this file: set CRUDE_HOME to a folder of Crude Functions " +
        `${version}, or run \`deno task crude dev\` there.`,
    );
  }
  const manifest = manifestOf(folder);
  if (manifest.version !== version) {
    note(`The program in ${folder} has version ${manifest.version}, this command line ${version}.`);
  }
  return folder;
}

function manifestOf(folder: string): { version: string; tasks: { start: string } } {
  try {
    return JSON.parse(readFileSync(join(folder, "deno.json"), "utf8"));
  } catch {
    throw wrongUsage(`CRUDE_HOME: ${folder} is not a folder of Crude Functions.`);
  }
}

/** Returns the command by which the server is started, up to its file. */
function commandOf(home: string, { env, deno }: Context): string[] {
  const [, ...words] = manifestOf(home).tasks.start.split(" ");
  const options = [...words.filter((word) => word !== "main.ts"), "--no-prompt", "--config", join(home, "deno.json")];
  if (deno !== undefined) return [deno, ...options];
  const isThere = (env("PATH") ?? "").split(":").some((folder) => existsSync(join(folder, "deno")));
  return [...(isThere ? ["deno"] : [...NPX, "deno"]), ...options];
}
