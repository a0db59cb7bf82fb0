// Fetches a commit in a confined process, which runs static/git.js, and reads the files that it writes.

import { join } from "node:path";
import { z } from "zod";
import { AppError } from "../../errors.ts";
import type { Runtime } from "../../sandbox/process/toolchain.ts";
import { releaseUid, takeUid } from "../../sandbox/process/uid_pool.ts";
import type { ConfinedDeno, ConfinedResult } from "../modules/confined_deno.ts";
import type { FetchAnswer, FetchedCommit, FetchJob, FetchLimits } from "./job.ts";
import type { GitSource } from "./source.ts";

export interface Fetched extends Omit<FetchedCommit, "paths"> {
  readonly files: readonly { readonly path: string; read(): Promise<Uint8Array<ArrayBuffer>> }[];
}

export interface GitFetcher {
  /**
   * Fetches the commit that a source names and calls `work` with its files, which are removed afterwards. If it is
   * `known`, returns undefined without fetching it.
   * @throws AppError SyncFailed (502) with a sentence for the user; never contains the token
   */
  fetch<T>(wanted: Wanted, work: (fetched: Fetched) => Promise<T>): Promise<T | undefined>;
  /** Kills the process that fetches, if there is one. No more are started. */
  close(): Promise<void>;
}

export interface Wanted {
  readonly source: GitSource;
  readonly token: string | null;
  readonly known: string | null;
}

export interface GitFetcherOptions {
  readonly runtime: Pick<Runtime, "ownUsers">;
  readonly deno: ConfinedDeno;
  /** The server's folder, which other users may enter, but not list. */
  readonly runDir: string;
  /** Path of static/git.js. */
  readonly program: string;
  /** Variables that say how to reach other machines. */
  readonly fetchEnv: Readonly<Record<string, string>>;
}

const MIB = 2 ** 20;
const LIMITS: FetchLimits = {
  answerMaxBytes: 128 * MIB,
  // As in /api/files.
  fileMaxBytes: 32 * MIB,
  totalMaxBytes: 256 * MIB,
  entriesMax: 20_000,
};
const TIMEOUT_MS = 120_000;
/** For the pack, the objects made from it, and V8's reservations of address space. */
const DATA_MAX_MB = 3_000;
const HEAP_MB = 768;
const OUTPUT_MAX_BYTES = 16 * MIB;
const HTTPS_PORT = 443;
const DNS_PORT = 53;
/** Variables with paths of certificates, which are copied: the process may read no other folder. */
const CERTIFICATES = ["DENO_CERT", "NODE_EXTRA_CA_CERTS"];

const answerSchema: z.ZodType<FetchAnswer> = z.union([
  z.object({ problem: z.string() }),
  z.object({ unchanged: z.string() }),
  z.object({
    commit: z.string().regex(/^[0-9a-f]{40}$/),
    author: z.object({ name: z.string(), email: z.string() }),
    message: z.string(),
    paths: z.array(z.string()),
  }),
]);

export function syncFailed(sentence: string): AppError {
  return new AppError("SyncFailed", 502, sentence);
}

export function createGitFetcher(options: GitFetcherOptions): GitFetcher {
  return {
    close: () => options.deno.close(),
    async fetch(wanted, work) {
      const uid = options.runtime.ownUsers ? takeUid() : undefined;
      const folder = await makeFolder(options.runDir, uid);
      try {
        const answer = await run(options, wanted, folder, uid);
        if ("problem" in answer) throw syncFailed(withoutToken(answer.problem, wanted));
        if ("unchanged" in answer) return undefined;
        const { paths, ...commit } = answer;
        return await work({
          ...commit,
          files: paths.map((path, index) => ({ path, read: () => read(folder, index) })),
        });
      } finally {
        await Deno.remove(folder, { recursive: true });
        if (uid !== undefined) releaseUid(uid);
      }
    },
  };
}

async function makeFolder(runDir: string, uid: number | undefined): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: runDir, prefix: "git-" });
  for (const name of ["repository", "files", "cache"]) await Deno.mkdir(join(folder, name), { mode: 0o700 });
  if (uid === undefined) return folder;
  for (const path of [folder, ...["repository", "files", "cache"].map((name) => join(folder, name))]) {
    await Deno.chown(path, uid, uid);
  }
  return folder;
}

async function run(
  { deno, program, fetchEnv }: GitFetcherOptions,
  wanted: Wanted,
  folder: string,
  uid: number | undefined,
): Promise<FetchAnswer> {
  const env: Record<string, string> = { ...fetchEnv, DENO_DIR: join(folder, "cache") };
  const copy = async (from: string, name: string): Promise<string> => {
    const path = join(folder, name);
    await Deno.writeFile(path, await Deno.readFile(from), { mode: 0o644 });
    return path;
  };
  for (const name of CERTIFICATES) if (env[name] !== undefined) env[name] = await copy(env[name], `${name}.pem`);
  const { hostname, port } = new URL(wanted.source.url);
  const host = `${hostname}:${port || HTTPS_PORT}`;
  const isProxied = Object.keys(fetchEnv).some((name) => /^(?:all|https)_proxy$/i.test(name));
  const result = await deno.run({
    args: [
      ...["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--cached-only"],
      ...["--ignore-env", `--v8-flags=--max-old-space-size=${HEAP_MB}`, `--allow-net=${host}`],
      ...[`--allow-read=${folder}`, `--allow-write=${folder}`, await copy(program, "git.js")],
    ],
    cwd: folder,
    env,
    read: [],
    write: [],
    arrange: [folder],
    net: isProxied ? true : [Number(port) || HTTPS_PORT, DNS_PORT],
    uid,
    stdin: JSON.stringify(jobOf(wanted, folder)),
    dataMaxMb: DATA_MAX_MB,
    timeoutMs: TIMEOUT_MS,
    outputMaxBytes: OUTPUT_MAX_BYTES,
  });
  return answerOf(result, wanted);
}

function jobOf({ source, token, known }: Wanted, folder: string): FetchJob {
  const { url, kind, name, username } = source;
  const [gitdir, output] = [join(folder, "repository"), join(folder, "files")];
  return { url, kind, name, folder: source.folder, username, token, known, gitdir, output, limits: LIMITS };
}

function answerOf({ success, stdout, stderr, killedFor }: ConfinedResult, wanted: Wanted): FetchAnswer {
  if (killedFor === "time") throw syncFailed(`Fetching the commit took more than ${TIMEOUT_MS / 1_000} s.`);
  if (killedFor === "output") throw syncFailed("The paths of the commit are too long.");
  if (killedFor === "stop") throw syncFailed("The server is stopping.");
  if (success) {
    const answer = answerSchema.safeParse(JSON.parse(stdout));
    if (answer.success) return answer.data;
  }
  const lines = stderr.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const cause = lines.find((line) => /error|out of memory/i.test(line)) ?? lines.at(-1) ?? "it says nothing";
  throw syncFailed(withoutToken(`The process that fetches the commit failed: ${cause}`, wanted));
}

function withoutToken(text: string, { source, token }: Wanted): string {
  return token === null ? text : text.replaceAll(token, `[secret ${source.tokenSecret}]`);
}

/** Reads a file that the process wrote, which could as well be a link. The process has ended. */
async function read(folder: string, index: number): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(folder, "files", String(index));
  const { isFile, size } = await Deno.lstat(path);
  if (!isFile || size > LIMITS.fileMaxBytes) throw syncFailed(`File ${index} of the commit was not written.`);
  return await Deno.readFile(path);
}
