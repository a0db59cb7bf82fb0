// Runs the real command line for a test, as its own process.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startApp } from "../http/app.ts";
import { type Server, startServer } from "../http/server.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output, parsed. */
  // deno-lint-ignore no-explicit-any
  readonly json: any;
}

export interface Home extends AsyncDisposable {
  readonly path: string;
  readonly dataDir: string;
  readonly keyFile: string;
  readonly database: string;
  /** `deno task cli <args>` on this home's data and in its folder, without a terminal. */
  cli(args: readonly string[], env?: Record<string, string>): Promise<Run>;
  /** The whole command, word by word. */
  words(args: readonly string[]): string[];
  spawn(args: readonly string[], env?: Record<string, string>): Deno.ChildProcess;
  /** Starts a server in this process. */
  start(env?: Record<string, string>): Promise<Server>;
  /** Starts a server in a process of its own, to be killed or looked at. */
  startProcess(env?: Record<string, string>): Promise<Server>;
  /** Text in a file of this home; its path. */
  write(name: string, text: string): string;
}

/** A folder for servers and commands that come one after the other; removed at the end of the test. */
export function makeHome(): Home {
  const path = Deno.makeTempDirSync({ prefix: "crude-functions-cli-" });
  const dataDir = join(path, "data");
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const [, ...task] = tasks.cli.replace("src/cli/main.ts", join(ROOT, "src/cli/main.ts")).split(" ");
  const command = (args: readonly string[], env: Record<string, string> = {}) =>
    new Deno.Command(Deno.execPath(), {
      args: [...task, ...args],
      cwd: path,
      env: { DATA_DIR: dataDir, CODE_DIR: join(path, "code"), NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  return {
    path,
    dataDir,
    keyFile: join(dataDir, "encryption-keys.json"),
    database: join(dataDir, "database.db"),
    async cli(args, env) {
      const { code, stdout, stderr } = await command(args, env).output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
      return {
        code,
        stdout: out,
        stderr: err,
        get json() {
          return JSON.parse(out);
        },
      };
    },
    words: (args) => [Deno.execPath(), ...task, ...args],
    spawn: (args, env) => command(args, env).spawn(),
    start: (env = {}) => startApp({ folder: path, env }),
    startProcess: (env = {}) => startServer({ folder: path, env }),
    write(name, text) {
      const file = join(path, name);
      Deno.writeTextFileSync(file, text);
      return file;
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
