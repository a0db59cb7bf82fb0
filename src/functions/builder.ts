// Runs `deno info` and `deno cache`, which find and fetch what modules import and run none of it. Looks at local
// files and downloads have slots of their own, so that nothing waits for a download that needs none.

import { join } from "node:path";
import type { CodeConfig } from "../sandbox/folder.ts";
import { LANGUAGE_FLAGS } from "../sandbox/process.ts";

export interface BuilderResult {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BuilderOptions {
  /** Environment of the processes: the cache folder, and how to reach registries. */
  readonly env: Readonly<Record<string, string>>;
}

/** Files that a run is given, in a folder that is removed after it. */
export interface BuilderFolder extends AsyncDisposable {
  readonly path: string;
  /** Writes a file; its path. */
  write(name: string, text: string): Promise<string>;
}

/** Writes the files of `files`; the flags by which Deno takes these and no other. */
export async function configFlags(folder: BuilderFolder, { config, importMap }: CodeConfig): Promise<string[]> {
  return [
    `--config=${await folder.write("config.json", config)}`,
    `--import-map=${await folder.write("imports.json", importMap)}`,
  ];
}

const TIMEOUT_MS = 120_000;

export class Builder {
  readonly #env: Record<string, string>;
  readonly #local = new Slots(Math.max(2, navigator.hardwareConcurrency));
  readonly #remote = new Slots(Math.max(2, navigator.hardwareConcurrency));

  constructor({ env }: BuilderOptions) {
    this.#env = { ...env, NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" };
  }

  /** Runs Deno without reaching for anything remote. */
  local(command: "info", ...args: string[]): Promise<BuilderResult> {
    return this.#local.use(() =>
      run([command, "--json", "--no-remote", "--no-npm", "--no-lock", ...LANGUAGE_FLAGS, ...args], this.#env)
    );
  }

  /** Runs Deno, which fetches what is not in the cache. */
  remote(command: "info" | "cache", ...args: string[]): Promise<BuilderResult> {
    const format = command === "info" ? "--json" : "--quiet";
    return this.#remote.use(() =>
      run([command, format, "--node-modules-dir=none", ...LANGUAGE_FLAGS, ...args], this.#env)
    );
  }

  /** Lets Deno decide on versions, with what the registry says now; `cacheDir` must be empty. Fetches no package. */
  resolve(cacheDir: string, lock: string, entry: string): Promise<BuilderResult> {
    const args = ["install", "--lockfile-only", "--no-config", lock, "--entrypoint", entry];
    return this.#remote.use(() => run(args, { ...this.#env, DENO_DIR: cacheDir }));
  }

  async folder(): Promise<BuilderFolder> {
    const path = await Deno.makeTempDir({ prefix: "crude-functions-build-" });
    return {
      path,
      async write(name, text) {
        const file = join(path, name);
        await Deno.writeTextFile(file, text);
        return file;
      },
      [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
    };
  }
}

/** Lets at most `count` pieces of work run at once, in the order in which they came. */
class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

async function run(args: string[], env: Record<string, string>): Promise<BuilderResult> {
  const command = new Deno.Command(Deno.execPath(), {
    args,
    clearEnv: true,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { success, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}

/** What a run that failed says of the cause. */
export function causeOf(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const error = lines.find((line) => /^error:/i.test(line)) ?? lines.at(-1) ?? "The module cannot be read.";
  return error.replace(/^error: */i, "");
}
