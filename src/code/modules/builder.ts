// Runs `deno info` and `deno cache`, which find and fetch what modules import without running any of it. Local look-ups
// and downloads have separate slots, so that only work that needs a download waits for one.

import { homedir } from "node:os";
import { join } from "node:path";
import type { CodeConfig } from "../../sandbox/process/sandbox_dir.ts";
import { LANGUAGE_FLAGS } from "../../sandbox/process/process.ts";
import type { Runtime } from "../../sandbox/process/toolchain.ts";
import type { ConfinedDeno } from "./confined_deno.ts";

export interface BuilderResult {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BuilderOptions {
  readonly runtime: Pick<Runtime, "deno" | "denoDir" | "appDir" | "setpriv" | "landlock">;
  /** Absolute and real. */
  readonly codeDir: string;
  /** Runs the builders. */
  readonly deno: ConfinedDeno;
  /** Absolute path of a folder for the input files of runs; it is created if it is missing. */
  readonly folder: string;
  /** Variables that configure how registries are reached. */
  readonly fetchEnv: Readonly<Record<string, string>>;
}

/** A folder with the input files of a run, which is removed after it. */
export interface BuilderFolder extends AsyncDisposable {
  readonly path: string;
  /** Writes a file and returns its path. */
  write(name: string, text: string): Promise<string>;
}

/** Writes the config files and returns the flags by which Deno uses only these. */
export async function configFlags(folder: BuilderFolder, { config, importMap }: CodeConfig): Promise<string[]> {
  return [
    `--config=${await folder.write("config.json", config)}`,
    `--import-map=${await folder.write("imports.json", importMap)}`,
  ];
}

const TIMEOUT_MS = 120_000;
/** Enough for more modules than a handler may have. */
const OUTPUT_MAX_BYTES = 32 * 1024 * 1024;
const DATA_MAX_MB = 3_000;
const WHY_KILLED = {
  time: `The search for the module's imports took more than ${TIMEOUT_MS / 1_000} s.`,
  output: "The module imports more modules than can be checked.",
  stop: "The server is stopping.",
};
/** Variables that contain paths of certificates. */
const CERTIFICATES = ["DENO_CERT", "NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR", "SSL_CERT_FILE"];
/** Folders to which links in /etc/ssl lead. */
const SYSTEM_CERTIFICATES = ["/usr/share/ca-certificates", "/usr/local/share/ca-certificates"];

export class Builder {
  readonly #options: BuilderOptions;
  readonly #local = new Slots(Math.max(2, navigator.hardwareConcurrency));
  readonly #remote = new Slots(Math.max(2, navigator.hardwareConcurrency));

  constructor(options: BuilderOptions) {
    this.#options = options;
  }

  /** Runs Deno without network access. */
  local(command: "info", ...args: string[]): Promise<BuilderResult> {
    return this.#local.use(() =>
      this.#run([command, "--json", "--no-remote", "--no-npm", "--no-lock", ...LANGUAGE_FLAGS, ...args], { net: false })
    );
  }

  /** Runs Deno, which fetches what is not in the cache. */
  remote(command: "info" | "cache", ...args: string[]): Promise<BuilderResult> {
    const format = command === "info" ? "--json" : "--quiet";
    return this.#remote.use(() =>
      this.#run([command, format, "--node-modules-dir=none", ...LANGUAGE_FLAGS, ...args], { net: true })
    );
  }

  /** Lets Deno resolve versions with current data of the registry; `cacheDir` must be empty. Fetches no package. */
  resolve(cacheDir: string, lock: string, entry: string): Promise<BuilderResult> {
    const args = ["install", "--lockfile-only", "--no-config", lock, "--entrypoint", entry];
    return this.#remote.use(() => this.#run(args, { net: true, cacheDir }));
  }

  async folder(): Promise<BuilderFolder> {
    await Deno.mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    const path = await Deno.makeTempDir({ dir: this.#options.folder });
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

  /** Runs Deno, which may read the code folder and the cache, and write to the cache and its input files. */
  async #run(args: string[], { net, cacheDir }: { net: boolean; cacheDir?: string }): Promise<BuilderResult> {
    const { runtime, deno, codeDir, folder, fetchEnv } = this.#options;
    const { denoDir, appDir } = runtime;
    const certificates = CERTIFICATES.flatMap((name) => fetchEnv[name] ?? []);
    // Deno uses this if HOME is not set.
    const settings = join(fetchEnv.HOME ?? homedir(), ".npmrc");
    const result = await deno.run({
      args,
      cwd: folder,
      env: { ...fetchEnv, DENO_DIR: cacheDir ?? denoDir },
      read: [codeDir, appDir, settings, ...certificates, ...SYSTEM_CERTIFICATES],
      write: [],
      arrange: [folder, denoDir],
      net,
      dataMaxMb: DATA_MAX_MB,
      timeoutMs: TIMEOUT_MS,
      outputMaxBytes: OUTPUT_MAX_BYTES,
    });
    if (!result.killedFor) return result;
    return { ...result, success: false, stderr: `error: ${WHY_KILLED[result.killedFor]}` };
  }
}

/** Runs at most `count` pieces of work concurrently, in order of arrival. */
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

/** Only the beginning and the end of a run's output are searched. */
const LOOKED_THROUGH_LENGTH = 64 * 1024;

/** Returns the cause of a failed run from its output. */
export function causeOf(stderr: string): string {
  const text = stderr.length <= 2 * LOOKED_THROUGH_LENGTH
    ? stderr
    : `${stderr.slice(0, LOOKED_THROUGH_LENGTH)}\n${stderr.slice(-LOOKED_THROUGH_LENGTH)}`;
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const error = lines.find((line) => /^error:/i.test(line)) ?? lines.at(-1) ?? "The module cannot be read.";
  return error.replace(/^error: */i, "");
}
