// Starts `crude` as a program: connects it to the process's arguments, environment, terminal and exit code.

import { spawn } from "node:child_process";
import process from "node:process";
import { homedir } from "node:os";
import { join } from "node:path";
import { CrudeError } from "./base/errors.ts";
import { createProfiles } from "./base/profiles.ts";
import { createTerminal } from "./base/terminal.ts";
import { run } from "./run.ts";

/** What the program is of: the server's version, and the Hono that its handlers are given. */
export interface Release {
  readonly version: string;
  readonly hono: string;
  /** The folder of the program; unknown in the file that a server serves. */
  readonly home?: string;
}

/** Runs the command line of this process, and ends the process with its exit code. */
export async function start(release: Release): Promise<never> {
  const { stdin, stdout, stderr } = process;
  // A reader that has enough, such as `head`, is no error.
  stdout.on("error", (error: { code?: string }) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const exit = (code: number) => process.exit(code);
  const env = (name: string) => process.env[name];
  const config = env("XDG_CONFIG_HOME") || join(env("HOME") || homedir(), ".config");
  const code = await run(process.argv.slice(2), {
    ...release,
    ...("deno" in process.versions && { deno: process.execPath }),
    runProgram,
    cwd: process.cwd(),
    env,
    createTerminal: (json) => createTerminal({ stdin, stderr, exit }, json),
    profiles: createProfiles(join(config, "crude")),
    write: (output) =>
      new Promise((resolve, reject) => stdout.write(output, (error) => error ? reject(error) : resolve())),
    warn: (line) => void stderr.write(`${line}\n`),
  });
  return process.exit(code);
}

function runProgram(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit" });
    // Ctrl-C reaches both processes; a signal to this one alone is passed on.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.on("error", (error) => reject(new CrudeError(`${program} could not be started: ${error.message}`)));
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1)));
  });
}
