// Runs a folder on this machine: the server itself, with the folder as its code, its data in `.crude/`, and functions
// and secrets from the folder's files. What runs in development is what runs in production.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { createApp } from "../app.ts";
import { readConfig } from "../config.ts";
import { messageOf } from "../errors.ts";
import { LocalServer } from "./local_server.ts";
import { type Project, readProject } from "./project.ts";

export interface DevOptions {
  /** Absolute. */
  readonly folder: string;
  readonly port: number;
  readonly env: (name: string) => string | undefined;
  readonly print: (line: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Editors write a file in several steps. */
const SETTLE_MS = 100;
const NAME_WIDTH = 20;
const KEY_LENGTH = 72;
/** Variables that would let the server use other folders, addresses or credentials than those of the folder. */
const OWN = new Set(["KEYRING_PASSPHRASE", "KEYRING_PASSPHRASE_FILE", "TRUSTED_PROXIES"]);

/**
 * Serves the folder until `signal` is aborted.
 * @throws ConfigError, DataFolderError, KeyFileError, AppError for problems that the user has to fix
 */
export async function dev({ folder, port, env, print, signal }: DevOptions): Promise<void> {
  const data = join(await Deno.realPath(folder), ".crude");
  await Deno.mkdir(data, { recursive: true, mode: 0o700 });
  // Also for folders without a .gitignore of their own.
  await Deno.writeTextFile(join(data, ".gitignore"), "*\n");
  const key = await managementKey(join(data, "key"));
  const variables: Record<string, string> = {
    PORT: String(port),
    HOST: "127.0.0.1",
    DATA_DIR: join(data, "data"),
    CODE_DIR: folder,
    BOOTSTRAP_API_KEY: key,
  };
  const config = readConfig((name) => variables[name] ?? (OWN.has(name) ? undefined : env(name)), folder);
  await using app = await createApp(config, {
    print: (line) => {
      if (/ (?:WARN|ERROR) /.test(line)) print(line);
    },
    development: {
      onCall: ({ method, path, status, durationMs }) =>
        print(`${status} ${method} ${path} ${durationMs.toFixed(0)} ms`),
    },
  });
  // Also during the start, when nothing listens for it yet.
  const ended = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
  const server = new LocalServer(app.url, key);
  const watching = new Watching(folder, server, print);
  await watching.start(app.url);
  const logs = server.followLogs((line, level) => print(`  ${level === "info" ? "" : `${level} `}${line}`), signal);
  await Promise.race([
    watching.run(signal),
    app.lost,
    ended,
  ]);
  await logs.catch(() => {});
  await app.drain();
}

/** Returns the key that manages the server, the same at each start. */
async function managementKey(path: string): Promise<string> {
  const known = await Deno.readTextFile(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  // Shorter if the program was killed while it wrote the file.
  if (known?.length === KEY_LENGTH) return known;
  const key = crypto.randomUUID() + crypto.randomUUID();
  await Deno.writeTextFile(path, key, { mode: 0o600 });
  return key;
}

/** Applies the project again when its files change. */
class Watching {
  readonly #folder: string;
  readonly #server: LocalServer;
  readonly #print: (line: string) => void;
  #project: Project | undefined;
  #url = "";
  #listed: readonly string[] = [];

  constructor(folder: string, server: LocalServer, print: (line: string) => void) {
    this.#folder = folder;
    this.#server = server;
    this.#print = print;
  }

  async start(url: string): Promise<void> {
    this.#url = url;
    await this.#apply();
    if (this.#project!.functions === undefined) this.#print("There is no crude.json: `crude init` writes one.");
    this.#print("Ready. Files are used as they are saved; Ctrl-C ends it.");
  }

  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    using watcher = Deno.watchFs(this.#folder);
    signal.addEventListener("abort", () => watcher.close());
    const changed = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let last: Promise<void> = Promise.resolve();
    const follow = () => {
      const paths = [...changed];
      changed.clear();
      last = last.then(() => this.#changed(paths)).catch((error) => this.#print(messageOf(error)));
    };
    for await (const { kind, paths } of watcher) {
      const own = paths.map((path) => path.slice(this.#folder.length + 1)).filter((path) => !isOther(path));
      if (kind === "access" || own.length === 0) continue;
      for (const path of own) changed.add(path);
      clearTimeout(timer);
      timer = setTimeout(follow, SETTLE_MS);
    }
    clearTimeout(timer);
    await last;
  }

  async #changed(paths: readonly string[]): Promise<void> {
    const isProject = paths.some((path) => path === "crude.json" || path.startsWith(".env"));
    if (isProject) await this.#apply();
    const problems = await this.#server.check(this.#project!);
    // Some editors write a file under another name first.
    const saved = paths.filter((path) => existsSync(join(this.#folder, path)));
    if (saved.length > 0) this.#print(`saved ${saved.slice(0, 3).join(", ")}${saved.length > 3 ? " and others" : ""}`);
    for (const problem of problems) this.#print(`  ${problem}`);
  }

  async #apply(): Promise<void> {
    const project = await readProject(this.#folder);
    // With a file that cannot be parsed, the functions stay.
    this.#project = { ...project, functions: project.functions ?? this.#project?.functions };
    const { problems, functions, keys } = await this.#server.apply(this.#project);
    for (const problem of problems) this.#print(problem);
    const list = [
      ...functions.map(({ name, route, keyNames }) => {
        const callers = keyNames.length > 0 ? `  (keys of ${keyNames.join(", ")})` : "";
        return `${name.padEnd(NAME_WIDTH)} ${this.#url}/run${route}${callers}`;
      }),
      ...keys.map(({ name, value }) => `${name.padEnd(NAME_WIDTH)} ${value}`),
    ];
    // Again only if it changed.
    if (list.join() !== this.#listed.join()) { for (const line of list) this.#print(line); }
    this.#listed = list;
  }
}

/** Reports whether a path is not part of the project. */
function isOther(path: string): boolean {
  return /(?:^|\/)(?:\.crude(?:\/|$)|\.crude-draft-|\.git(?:\/|$)|node_modules(?:\/|$))/.test(path);
}
