// Runs the remote command line as users do, on Node and on Deno, from the one file that a server serves.

import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../static/cli.js", import.meta.url));

/** The programs that the file runs on. */
export const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  Node: ["node", CLI],
  Deno: [Deno.execPath(), "run", "--quiet", "--no-prompt", "-A", CLI],
};

export interface CrudeRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output, parsed. */
  // deno-lint-ignore no-explicit-any
  readonly json: any;
}

export interface CrudeOptions {
  /** Standard input; by default it is empty. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** By default the home itself. */
  readonly cwd?: string;
}

/** A user's home folder on another machine; removed at the end of the test. */
export interface CrudeHome extends AsyncDisposable {
  readonly path: string;
  /** Where Deno has what it compiled: the tests' own folder. */
  readonly denoDir: string;
  /** Runs a command without a terminal. */
  crude(args: readonly string[], options?: CrudeOptions): Promise<CrudeRun>;
  spawn(args: readonly string[], options?: CrudeOptions): Deno.ChildProcess;
  /** Text in a file of this home; its path. */
  write(name: string, text: string): string;
}

export function makeCrudeHome(runtime: keyof typeof RUNTIMES = "Node"): CrudeHome {
  const path = Deno.makeTempDirSync({ prefix: "crude-functions-remote-" });
  const denoDir = Deno.env.get("DENO_DIR") ?? join(Deno.env.get("HOME") ?? "/root", ".cache", "deno");
  const [program, ...before] = RUNTIMES[runtime]!;
  const command = (args: readonly string[], { env, cwd }: CrudeOptions) =>
    new Deno.Command(program!, {
      args: [...before, ...args],
      cwd: cwd ?? path,
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        HOME: path,
        DENO_DIR: denoDir,
        NO_COLOR: "1",
        ...env,
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
  return {
    path,
    denoDir,
    async crude(args, options = {}) {
      const child = command(args, options).spawn();
      const writer = child.stdin.getWriter();
      // A command that reads nothing may have ended before.
      const written = (async () => {
        await writer.write(new TextEncoder().encode(options.input ?? ""));
        await writer.close();
      })().catch(() => {});
      const { code, stdout, stderr } = await child.output();
      await written;
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
    spawn: (args, options = {}) => command(args, options).spawn(),
    write(name, text) {
      const file = join(path, name);
      Deno.mkdirSync(join(file, ".."), { recursive: true });
      Deno.writeTextFileSync(file, text);
      return file;
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}
