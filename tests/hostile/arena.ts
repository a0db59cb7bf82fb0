// The arena of the hostile-handler suite: the real server, an innocent function that is called throughout,
// the API used beside it, values planted to be stolen, and the figures at the end.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createGroup, createKey, createSecret, deploy, run } from "../http/handlers.ts";
import { codeFolder } from "../http/processes.ts";
import { type Answer, type Server, startServer } from "../http/server.ts";
import { asOrdinaryUser, canSwitchUser } from "./ordinary_user.ts";

const INNOCENT_INTERVAL_MS = 50;
const API_INTERVAL_MS = 250;
const QUIET_INTERVAL_MS = 15;
/** Calls of the innocent function before the attacks begin, to know how a quiet server answers. */
const QUIET_CALLS = 30;
/** A call of the innocent function or the API that takes longer has failed. */
const PATIENCE_MS = 15_000;
const CONTROL = fileURLToPath(new URL("./control.ts", import.meta.url));

/** Fields of a function beside its name and handler, as the API takes them. */
export interface FunctionFields {
  route?: string;
  methods?: string[];
  keys?: number[];
  permissions?: { net: boolean | string[] };
  secrets?: string[];
  isolation?: "shared" | "per-key";
  timeoutMs?: number;
  memoryMb?: number;
  files?: string[];
}

export interface AttackOptions {
  fields?: FunctionFields;
  /** Folder of the code folder that the handler's module is in; its top if left out. */
  folder?: string;
  /** More files saved before the handler, by path in the code folder. */
  files?: Record<string, string | Uint8Array>;
  /** Such as `?a=1`. */
  query?: string;
  /** API key of the caller. */
  key?: string;
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** What came of one attempt: `got` what it returned, or `refused` by an error, or nothing within its time. */
export type Outcome = { got: unknown } | { refused: string } | { hung: true };

export interface AttemptOptions extends AttackOptions {
  /** Constants that the attempts use as `T.<name>`. */
  targets?: Record<string, unknown>;
  /** Other targets for the control run, where the attack would do harm. */
  controlTargets?: Record<string, unknown>;
  /** Path of a config file for Deno in the control run. */
  controlConfig?: string;
  /** All at once; else one after the other. */
  atOnce?: boolean;
  /** How long each may take. */
  eachMs?: number;
}

export interface Holder {
  readonly groupId: number;
  readonly keyId: number;
  readonly key: string;
}

/** As the API shows it, and no more of it than is looked at here. */
export interface LogEntry {
  readonly functionId: number;
  readonly event: string;
  readonly message: string;
}

export interface Arena {
  readonly server: Server;
  /** A value that no attacker may ever see, wherever it is then put. */
  plant(label: string): string;
  /** Remembers an existing value as one that no attacker may see. */
  guard(label: string, value: string): void;
  /** A key of a new group, with planted secrets named `SECRET` and `<label>` of the group and of the key. */
  plantHolder(label: string): Promise<Holder>;
  /** Deploys `code` as the function `name`, without a call; its id. */
  deploy(name: string, code: string, options?: Pick<AttackOptions, "fields" | "files" | "folder">): Promise<number>;
  /** One call of the function `name`; its answer has been searched for planted values. */
  call(name: string, options?: AttackOptions): Promise<Answer>;
  /** Deploys and calls, and counts one attack. */
  attack(name: string, code: string, options?: AttackOptions): Promise<Answer>;
  /**
   * Runs many attempts in one handler. Each is the body of an async function that returns something if it
   * succeeded and throws or returns undefined if not. Every one that returns something has gained.
   */
  attempts(name: string, attempts: Record<string, string>, options?: AttemptOptions): Promise<Record<string, Outcome>>;
  /** The same attempts in a Deno that may do everything, to see that they are attempts at all. */
  control(attempts: Record<string, string>, options?: AttemptOptions): Promise<Record<string, Outcome>>;
  /** Counts attacks that were made in another way than by `attack` and `attempts`. */
  count(attacks?: number): void;
  /** Records that an attack gained something: the test fails at its end and names it. */
  gained(attack: string, what: string): void;
  /** Records a gain if `text` holds a planted value. */
  search(attack: string, text: string): void;
  /** What is kept in the logs of functions, or of one of them, the newest first. */
  logs(functionId?: number): Promise<LogEntry[]>;
  /** Ids of the living sandbox processes, of one function if it is named. */
  sandboxes(name?: string): number[];
  /** How many innocent calls have ended; to wait for some more, see `innocentCalls`. */
  readonly innocentDone: number;
  /** Resolves after `count` more calls of the innocent function have ended. */
  innocentCalls(count: number): Promise<void>;
}

export interface ArenaOptions {
  env?: Record<string, string>;
  /** Whether the server runs as an ordinary user, though these tests are root's. */
  ordinaryUser?: boolean;
}

/** Whether to leave out attacks without root that meet the same walls as with it. */
const isShort = Deno.args.includes("--short");

/**
 * Registers a test with a server of these tests' own user and, where that is root, another one with a server of an
 * ordinary user, whose sandboxes are of the same user. In the short form the other one is left out, unless `isOfUsers`:
 * the users are then one of the walls that are attacked.
 */
export function testWithAndWithoutRoot(
  name: string,
  test: (arena: typeof withArena) => Promise<void>,
  { isOfUsers = false }: { isOfUsers?: boolean } = {},
): void {
  Deno.test(name, () => test(withArena));
  if (!canSwitchUser || isShort && !isOfUsers) return;
  Deno.test(`${name}, without root`, () =>
    test((family, attacks, options) => withArena(family, attacks, { ...options, ordinaryUser: true })));
}

/** Runs the attacks of one family in an arena of its own. */
export async function withArena(
  family: string,
  attacks: (arena: Arena) => Promise<void>,
  { env = {}, ordinaryUser = false }: ArenaOptions = {},
): Promise<void> {
  const environment = `environment${unguessable()}`;
  await using ordinary = ordinaryUser ? await asOrdinaryUser() : undefined;
  await using server = await startServer({
    ...ordinary,
    env: { HOSTILE_CANARY: environment, ...ordinary?.env, ...env },
  });
  const uid = /^Uid:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${server.pid}/status`))![1];
  const guarded = new Map<string, string>();
  const gains: string[] = [];
  let attacksCounted = 0;
  const names = new Map<string, string>();

  const search = (attack: string, text: string): void => {
    for (const [value, label] of guarded) {
      for (const form of formsOf(value)) {
        if (text.includes(form)) gains.push(`${attack}: ${label}`);
      }
    }
  };
  const guard = (label: string, value: string): void => void guarded.set(value, label);
  const plant = (label: string): string => {
    const value = `planted-${label}-${unguessable()}`;
    guard(label, value);
    return value;
  };
  guard("the server's environment", environment);
  guard("the server's bootstrap key", server.key);
  guard("the password file", Deno.readTextFileSync("/etc/passwd").split("\n")[0]!);
  const keyFile = Deno.readTextFileSync(`${server.dataDir}/encryption-keys.json`);
  for (const key of keyFile.match(/[A-Za-z0-9+/]{43}=/g)!) guard("an encryption key", key);

  const arena: Arena = {
    server,
    plant,
    guard,
    search,
    async plantHolder(label) {
      const groupId = await createGroup(server, label);
      const { id: keyId, value: key } = await createKey(server, groupId, label);
      guard(`${label}'s API key`, key);
      for (const name of ["SECRET", label]) {
        await createSecret(server, name, plant(`${label}-group`), { scope: "group", groupId });
        await createSecret(server, name, plant(`${label}-key`), { scope: "key", keyId });
      }
      return { groupId, keyId, key };
    },
    async deploy(name, code, { fields = {}, files = {}, folder } = {}) {
      const module = `${folder}/${name}.ts`;
      const all = folder === undefined ? files : { ...files, [module]: code };
      for (const [path, content] of Object.entries(all)) {
        const saved = await server.api("PUT", `/api/files/${encodeURIComponent(path)}`, content, {
          "Content-Type": "application/octet-stream",
        });
        assert.ok(saved.status === 200 || saved.status === 201, `${path}: ${JSON.stringify(saved.body)}`);
        // What is said of a file must not quote what it leads to.
        search(`problems of ${path}`, textOf(saved.body));
      }
      names.set(name, fields.route ?? `/${name}`);
      const handler = folder === undefined ? code : `export { default } from "./${module}";`;
      return await deploy(server, name, handler, fields as Parameters<typeof deploy>[3]);
    },
    async call(name, { query = "", key, method, body, headers } = {}) {
      const init = {
        ...(method === undefined ? {} : { method }),
        ...(headers === undefined ? {} : { headers }),
        body,
      };
      const answer = await run(server, `${names.get(name) ?? `/${name}`}${query}`, key, init);
      search(name, textOf(answer.body));
      search(name, [...answer.headers].join("\n"));
      return answer;
    },
    async attack(name, code, options = {}) {
      attacksCounted++;
      await arena.deploy(name, code, options);
      return await arena.call(name, options);
    },
    async attempts(name, attempts, options = {}) {
      attacksCounted += Object.keys(attempts).length;
      await arena.deploy(name, attemptsCode(attempts, options, options.targets), options);
      const { status, body } = await arena.call(name, options);
      assert.equal(status, 200, `${name}: ${textOf(body)}`);
      assert.deepEqual(Object.keys(body).sort(), Object.keys(attempts).sort());
      for (const [attempt, outcome] of Object.entries(body as Record<string, Outcome>)) {
        if ("got" in outcome) gains.push(`${name}.${attempt}: ${textOf(outcome.got).slice(0, 300)}`);
      }
      return body;
    },
    async control(attempts, options = {}) {
      const file = await Deno.makeTempFile({ prefix: "crude-functions-control-", suffix: ".mjs" });
      try {
        await Deno.writeTextFile(file, attemptsCode(attempts, options, options.controlTargets ?? options.targets));
        const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "--quiet", "--no-prompt", "--no-lock", "--unstable-worker-options", "-A"],
            ...(options.controlConfig === undefined
              ? ["--no-config"]
              : ["--unstable-raw-imports", `--config=${options.controlConfig}`]),
            ...[CONTROL, file],
          ],
          env: { HOSTILE_CONTROL: "1" },
          stdout: "piped",
          stderr: "piped",
        }).output();
        const text = new TextDecoder().decode(stdout);
        const line = text.split("\n").find((line) => line.startsWith("OUTCOMES "));
        assert.ok(line, `the control run printed no outcomes:\n${text}\n${new TextDecoder().decode(stderr)}`);
        return JSON.parse(line.slice("OUTCOMES ".length));
      } finally {
        await Deno.remove(file);
      }
    },
    count(attacks = 1) {
      attacksCounted += attacks;
    },
    gained: (attack, what) => void gains.push(`${attack}: ${what}`),
    logs: (functionId) => logs(server, functionId),
    sandboxes: (name) => sandboxes(server, name),
    get innocentDone() {
      return innocent.latencies.length;
    },
    innocentCalls: (count) => innocent.more(count),
  };

  const innocentHolder = await arena.plantHolder("innocent");
  const innocentValue = plant("innocent-function");
  const innocentId = await arena.deploy(
    "innocent",
    `export default async (c, ctx) => c.text(await ctx.getSecret("INNOCENT") + " " + await ctx.getSecret("SECRET"))`,
    { fields: { keys: [innocentHolder.groupId] } },
  );
  await createSecret(server, "INNOCENT", innocentValue, { scope: "function", functionId: innocentId });
  const first = await run(server, "/innocent", innocentHolder.key);
  assert.ok(
    first.status === 200 && first.body.startsWith(`${innocentValue} planted-innocent-key-`),
    textOf(first.body),
  );

  const callInnocent = async (signal: AbortSignal): Promise<string | undefined> => {
    const response = await fetch(`${server.url}/run/innocent`, {
      headers: { "X-API-Key": innocentHolder.key },
      signal,
    });
    const text = await response.text();
    if (response.status !== 200 || text !== first.body) return `${response.status} ${text.slice(0, 200)}`;
  };
  const quiet = caller(QUIET_INTERVAL_MS, callInnocent);
  await quiet.more(QUIET_CALLS);
  await quiet.stop();
  const quietP99 = percentile(quiet.latencies, 0.99);
  const innocent = caller(INNOCENT_INTERVAL_MS, callInnocent);
  const api = caller(API_INTERVAL_MS, async (signal) => {
    const response = await fetch(`${server.url}/api/secrets?includeValues=true`, {
      headers: { "X-API-Key": server.key },
      signal,
    });
    const text = await response.text();
    if (response.status !== 200 || !text.includes(innocentValue)) return `${response.status} ${text.slice(0, 200)}`;
  });

  try {
    await attacks(arena);
  } finally {
    await Promise.all([innocent.stop(), api.stop()]);
  }

  const hostAlive = alive(server.pid) && server.logs().match(/^Listening on /gm)?.length === 1;
  const health = hostAlive ? (await server.api("GET", "/health")).status : 0;
  search("the server's log", server.logs());
  if (hostAlive) search("the functions' logs", (await logs(server)).map(({ message }) => message).join("\n"));
  const calls = innocent.latencies.length;
  console.log(
    `${family} (Deno ${Deno.version.deno}, user ${
      uid === "0" ? "root" : uid
    }): ${attacksCounted} attacks, ${gains.length} gained, host restarts ${hostAlive ? 0 : 1}, ` +
      `innocent calls ${calls} failed ${innocent.failures.length}, ` +
      `p99 ${percentile(innocent.latencies, 0.99).toFixed(1)} ms (quiet ${quietP99.toFixed(1)} ms, ` +
      `ratio ${(percentile(innocent.latencies, 0.99) / quietP99).toFixed(1)}), ` +
      `API calls ${api.latencies.length} failed ${api.failures.length}`,
  );
  assert.equal(gains.length, 0, `attacks gained something:\n${gains.join("\n")}`);
  assert.ok(hostAlive, "the host died");
  assert.equal(health, 200);
  assert.deepEqual([...quiet.failures, ...innocent.failures], [], "innocent calls failed");
  assert.deepEqual(api.failures, [], "API calls failed");
  assert.ok(calls > 0 && attacksCounted > 0);
}

async function logs(server: Server, functionId?: number): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  const filter = functionId === undefined ? "" : `&functionId=${functionId}`;
  for (let cursor: string | null = ""; cursor !== null;) {
    const at: string = cursor && `&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await server.api("GET", `/api/logs?limit=1000${filter}${at}`);
    assert.equal(status, 200, textOf(body));
    entries.push(...body.logs);
    cursor = body.next;
  }
  return entries;
}

/** A handler that makes the attempts and answers with what came of each. */
function attemptsCode(
  attempts: Record<string, string>,
  { atOnce = false, eachMs = 1_000 }: AttemptOptions,
  targets: Record<string, unknown> = {},
): string {
  return `const T = ${JSON.stringify(targets)};
const attempts = {
${Object.entries(attempts).map(([name, code]) => `${JSON.stringify(name)}: async (c, ctx) => { ${code} }`).join(",\n")}
};
const show = (value) => {
  if (value instanceof Uint8Array) return new TextDecoder("latin1").decode(value.subarray(0, 5000));
  if (typeof value === "string") return value.slice(0, 5000);
  try { return JSON.stringify(value)?.slice(0, 5000) ?? String(value); } catch { return String(value); }
};
const one = async (attempt, c, ctx) => {
  let timer;
  const late = new Promise((resolve) => timer = setTimeout(() => resolve({ hung: true }), ${eachMs}));
  const outcome = (async () => await attempt(c, ctx))().then(
    (got) => got === undefined ? { refused: "nothing came of it" } : { got: show(got) },
    (error) => ({ refused: String(error).slice(0, 300) }),
  );
  const result = await Promise.race([outcome, late]);
  clearTimeout(timer);
  return result;
};
export default async (c, ctx) => {
  const outcomes = {};
  const entries = Object.entries(attempts);
  ${
    atOnce
      ? "await Promise.all(entries.map(async ([name, attempt]) => { outcomes[name] = await one(attempt, c, ctx); }));"
      : "for (const [name, attempt] of entries) outcomes[name] = await one(attempt, c, ctx);"
  }
  return Response.json(outcomes);
};
`;
}

/** By process: the folder of its code by the arguments that it was first seen with, as it may write over them (`process.title`). */
const firstSeen = new Map<string, string>();

/** Ids of a server's sandbox processes, of those that run the function `name` if it is given; from /proc. */
export function sandboxes(server: Server, name?: string): number[] {
  const list = () => Deno.readTextFileSync(`/proc/${server.pid}/task/${server.pid}/children`).trim().split(" ");
  // Twice: a list that is read while one of them ends may lack another, proc_pid_children(5).
  const children = new Set([...list(), ...list()].filter(Boolean).map(Number));
  return [...children].filter((pid) => {
    const known = `${pid} ${startOf(pid)}`;
    const code = firstSeen.get(known) ?? codeFolder(argumentsOf(pid).split("\0"));
    if (code === undefined) return false;
    firstSeen.set(known, code);
    return (name === undefined || existsSync(`${code}/${name}.ts`)) && alive(pid);
  });
}

/** When the process was started, which tells it from others that have had its id. */
function startOf(pid: number): string | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function argumentsOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return "";
  }
}

/** Whether the process runs; one that has ended and is not yet reaped does not. */
export function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

/** Resolves when none of the processes is alive; there is no event for the end of another's child. */
export async function gone(pids: number[]): Promise<void> {
  while (pids.some(alive)) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface Caller {
  readonly latencies: number[];
  readonly failures: string[];
  /** Resolves after so many more calls have ended. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Makes a call every `intervalMs`, whether or not the ones before have been answered. `call` tells what went wrong. */
function caller(intervalMs: number, call: (signal: AbortSignal) => Promise<string | undefined>): Caller {
  const latencies: number[] = [];
  const failures: string[] = [];
  const underWay = new Set<Promise<void>>();
  const waiting = new Set<{ left: number; resolve: () => void }>();
  const once = async (): Promise<void> => {
    const began = performance.now();
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new Error(`no answer in ${PATIENCE_MS} ms`)), PATIENCE_MS);
    const problem = await call(patience.signal).catch(String);
    clearTimeout(timer);
    latencies.push(performance.now() - began);
    if (problem !== undefined) failures.push(problem);
    for (const waiter of waiting) {
      if (--waiter.left > 0) continue;
      waiting.delete(waiter);
      waiter.resolve();
    }
  };
  const timer = setInterval(() => {
    const made = once().finally(() => underWay.delete(made));
    underWay.add(made);
  }, intervalMs);
  return {
    latencies,
    failures,
    more: (count) => new Promise((resolve) => waiting.add({ left: count, resolve })),
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** As a thief might send it off to hide it. */
function formsOf(value: string): string[] {
  const bytes = new TextEncoder().encode(value);
  return [value, JSON.stringify(value).slice(1, -1), bytes.toBase64().replace(/=+$/, ""), bytes.toHex()];
}

function textOf(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}

function unguessable(): string {
  return crypto.randomUUID().replaceAll("-", "");
}
