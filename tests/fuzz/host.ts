// The host's end under fire: the real pool, sandboxes and /run behind real Unix sockets. In the place of the
// sandbox process stands a program that sleeps, and the fuzzer speaks for it.

import type { ModuleGraph } from "../../src/code/modules/imports.ts";
import { join } from "node:path";
import type { RegisteredFunction, Registry } from "../../src/core/functions/registry.ts";
import { createRun, type RunDependencies } from "../../src/calls/handler.ts";
import type { RunCaller } from "../../src/calls/caller.ts";
import { createMasking } from "../../src/masking/masking.ts";
import { createHealth } from "../../src/sandbox/host/health.ts";
import { Pool } from "../../src/sandbox/host/pool.ts";
import {
  BodyMode,
  FRAME_MAX_BYTES,
  FrameWriter,
  readFrames,
  ToHost,
  ToSandbox,
} from "../../src/sandbox/wire/protocol.ts";
import { encode, type HostileFrame, hostileFrame } from "./hostile_frames.ts";
import { type Random, seeded } from "./random.ts";

/** Deadline of the fuzzed calls. */
const TIMEOUT_MS = 150;
/** What the host may add to it, on a machine that is busy with other things. */
const SLACK_MS = 4_000;
/** Nobody may hold up the host's event loop for so long. */
const STALL_MAX_MS = 1_000;
/** Sockets of processes that were killed at the end take a while to be closed on a busy machine. */
const CLOSED_MAX_MS = 5_000;
/** How far the memory may rise above where it was after the first rounds, once all is over. */
export const GROWTH_MAX_MB = 128;
/** And while the fuzzer runs, its own frames included, and what of them has not been collected: 460 to 580 MB seen. */
const PEAK_MAX_MB = 768;
const AT_ONCE = 6;
const WARM_UP_SESSIONS = 60;
/** A secret whose answer takes as much room as one can. */
const BIG_VALUE = "\u0001".repeat(16_384);
const INNOCENT = 1;

export interface HostReport {
  /** Of the floods, the one that is played in each session. */
  scene: string | undefined;
  sessions: number;
  calls: number;
  frames: number;
  innocentMs: number[];
  longestStallMs: number;
  startMb: number;
  peakMb: number;
  endMb: number;
  findings: string[];
}

/** Speaks for a new process of a function. */
type Peer = (connection: Deno.UnixConn) => Promise<void>;

/**
 * One process after another that misbehaves, until `untilMs`, or the session `only` alone.
 * With `scene`, each plays that flood.
 */
export async function fuzzHost(
  seed: number,
  untilMs: number,
  { only, scene }: { only: number | undefined; scene: string | undefined },
): Promise<HostReport> {
  const report: HostReport = {
    scene,
    sessions: 0,
    calls: 0,
    frames: 0,
    innocentMs: [],
    longestStallMs: 0,
    startMb: residentMb(),
    peakMb: 0,
    endMb: 0,
    findings: [],
  };
  const find = (session: number | string, what: string): void => {
    report.findings.push(`session ${session}: ${what}`);
    console.error(`FINDING (--seed=${seed} --only=${session}): ${what}`);
  };
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    find("?", `a rejection that nobody awaits: ${text(event.reason)}`);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    find("?", `an error that nobody catches: ${text(event.error)}`);
  });

  // The first child makes Deno open what it hears of the end of children by.
  await new Deno.Command("/bin/true").output();
  const rig = await createRig();
  const descriptors = countDescriptors();
  rig.peers.set(INNOCENT, behave);
  let [lookedAt, computed] = [performance.now(), mainThreadCpuMs()];
  const watch = setInterval(() => {
    const [now, cpu] = [performance.now(), mainThreadCpuMs()];
    // What it did not compute in, other programs took from it.
    report.longestStallMs = Math.max(report.longestStallMs, Math.min(now - lookedAt, cpu - computed));
    [lookedAt, computed] = [now, cpu];
    report.peakMb = Math.max(report.peakMb, residentMb());
  }, 20);

  let next = only ?? INNOCENT + 1;
  const oneAfterAnother = async (): Promise<void> => {
    while (only === undefined ? performance.now() < untilMs : next === only) {
      const session = next++;
      await innocentCall(rig, report, session, find);
      await hostileSession(rig, session, seeded(seed ^ Math.imul(session, 0x9e3779b1)), report, find);
      if (++report.sessions === WARM_UP_SESSIONS) {
        collectGarbage();
        report.startMb = residentMb();
      }
    }
  };
  await Promise.all(Array.from({ length: only === undefined ? AT_ONCE : 1 }, oneAfterAnother));
  await innocentCall(rig, report, "end", find);
  if (rig.pool.busy) find("end", "a call is still under way, though nobody waits for one");
  await rig.close();
  clearInterval(watch);

  for (let round = 0; round < 5; round++) {
    collectGarbage();
    await pause(50);
  }
  report.endMb = residentMb();
  if (report.longestStallMs > STALL_MAX_MS) find("?", `the host stood still for ${report.longestStallMs.toFixed()} ms`);
  if (report.peakMb > PEAK_MAX_MB) find("?", `memory rose to ${report.peakMb} MB (bound ${PEAK_MAX_MB})`);
  if (report.endMb > report.startMb + GROWTH_MAX_MB) {
    find("end", `memory stays at ${report.endMb} MB, it was ${report.startMb} (bound +${GROWTH_MAX_MB})`);
  }
  const closedBy = performance.now() + CLOSED_MAX_MS;
  while (countDescriptors() > descriptors && performance.now() < closedBy) await pause(50);
  if (countDescriptors() > descriptors) {
    find("end", `${countDescriptors() - descriptors} descriptors are left open`);
  }
  if (countChildren() > 0) find("end", `${countChildren()} processes are left`);
  return report;
}

/** Leaves the token of the process's channel in its folder, by the path in its last argument, and waits to be ended. */
const STAND_IN = `#!/bin/sh
for task; do :; done
folder=\${task#*'"socket":"'}
folder=\${folder%%'/socket/s"'*}
head -c 32 > "$folder/draft" && mv "$folder/draft" "$folder/token"
exec sleep 86400
`;

type Rig = Awaited<ReturnType<typeof createRig>>;

async function createRig() {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "crude-functions-fuzz-" }));
  const runDir = join(folder, "run");
  const codeDir = join(folder, "code");
  const standIn = join(folder, "stand-in");
  Deno.mkdirSync(runDir);
  Deno.mkdirSync(codeDir);
  Deno.writeTextFileSync(standIn, STAND_IN, { mode: 0o755 });

  const peers = new Map<number, Peer>();
  const speaking = new Set<Promise<void>>();
  const seen = new Set<string>();
  /** A process is being started: its folder is there, and in it soon a folder named after the function. */
  const meet = (): void => {
    for (const { name } of Deno.readDirSync(runDir)) {
      if (seen.has(name)) continue;
      seen.add(name);
      const path = join(runDir, name);
      const done: Promise<void> = functionOf(path).then((id) => {
        const peer = id === undefined ? undefined : peers.get(id);
        return peer && speak(peer, path);
      }).finally(() => speaking.delete(done));
      speaking.add(done);
    }
  };

  const pool = new Pool<RunCaller>({
    health: createHealth(Date.now),
    process: {
      runDir,
      codeDir,
      runtime: {
        deno: standIn,
        denoDir: folder,
        appDir: folder,
        ownUsers: false,
        auditsPermissions: false,
        setpriv: undefined,
        landlock: undefined,
        packages: [],
        workerPackage: "",
        cacheDir: folder,
        registryEnv: {},
      },
      usage: { of: () => Promise.resolve(undefined), close: () => Promise.resolve() },
      ownAddresses: () => ["127.0.0.1:1"],
      nodeAddresses: () => [],
      databaseAddresses: () => [],
      machineHosts: () => [],
      // Asked at the start of each process, which is given its code right after.
      denyNet: () => (queueMicrotask(meet), []),
    },
    answerer: {
      answer: ({ functionId, holder }, _kind, name) => [functionId, holder?.keyId, name === "BIG" ? BIG_VALUE : ""],
      prefetch: ({ functionId, holder }, questions) => ({
        questions,
        json: JSON.stringify(questions.map((question) => [...question, [functionId, holder?.keyId, ""]])),
      }),
    },
    limits: {
      maxProcesses: () => 64,
      maxCalls: () => 100,
      maxPerFunction: () => 1,
      spareProcesses: () => 0,
      idleSeconds: () => 600,
      maxCallMs: () => 3_600_000,
      revocationGraceMs: () => 4_000,
      callsMemoryMb: () => 64,
    },
    onLog: () => {},
  });
  // What /run needs of the other parts, for functions that exist by being named.
  const deps:
    & Pick<RunDependencies, "pool" | "log" | "logs" | "masking" | "metrics" | "audit">
    & Record<string, unknown> = {
      pool,
      access: {
        find: (value: string) => holder(Number(value)),
        isStored: (value: string) => holder(Number(value)) !== undefined,
        isInTime: () => true,
        recordUse() {},
      },
      // Nothing is ever changed.
      changes: { count: 0 },
      registry: {
        match: (_method: string, path: string) => ({ found: registered(Number(path.slice(1))), params: {} }),
      },
      imports: {
        graph: (path: string): ModuleGraph => ({
          version: 1,
          entry: "",
          files: [join(codeDir, path)],
          sources: [],
          remote: false,
          lock: undefined,
          config: undefined,
          packages: [],
          npm: [],
          native: [],
          problems: [],
          warnings: [],
        }),
      },
      settings: {
        get: (name: string) => name === "sandbox.memory-mb" ? 128 : name === "run.body-timeout-ms" ? TIMEOUT_MS : [],
      },
      log: () => {},
      masking: createMasking(),
      logs: { keeps: () => true, write: () => {} },
      metrics: { ended: () => {}, refusedOnTrial: () => {} },
      audit: { recordLeak: () => {} },
    };
  return {
    peers,
    pool,
    run: createRun(deps as unknown as RunDependencies).answer,
    async close(): Promise<void> {
      await pool.stop();
      await Promise.all(speaking);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function registered(id: number): ReturnType<Registry["get"]> {
  const fields: Partial<Record<keyof RegisteredFunction, unknown>> = {
    id,
    name: `f${id}`,
    description: "",
    handler: `${id}/handler.ts`,
    route: `/${id}`,
    methods: ["GET", "POST"],
    keys: [1],
    permissions: { net: ["localhost"] },
    secrets: ["*"],
    isolation: "shared",
    timeoutMs: id === INNOCENT ? SLACK_MS : TIMEOUT_MS,
    memoryMb: null,
    files: [],
    enabled: true,
    updatedAt: 0,
  };
  return fields as unknown as RegisteredFunction;
}

/** A caller whose key's id tells the calls of a session apart. */
function holder(keyId: number) {
  return { keyId, keyName: "k", groupId: 1, groupName: "g" };
}

async function innocentCall(
  { run }: Rig,
  report: HostReport,
  session: number | string,
  find: (session: number | string, what: string) => void,
): Promise<void> {
  const began = performance.now();
  const response = await within(run(request(INNOCENT, 1)), SLACK_MS);
  if (!response) return find(session, "an innocent call got no answer");
  const body = await response.text();
  report.innocentMs.push(performance.now() - began);
  if (response.status !== 200 || body !== "1") find(session, `an innocent call got ${response.status} ${body}`);
}

function request(functionId: number, tag: number, init: RequestInit = {}): Request {
  return new Request(`http://localhost/run/${functionId}`, {
    ...init,
    headers: { "X-API-Key": String(tag), "X-Tag": String(tag) },
  });
}

/** Lets `peer` speak from the socket in `folder`, until the process is gone: its folder is removed then. */
async function speak(peer: Peer, folder: string): Promise<void> {
  const connection = await connected(folder);
  if (!connection) return;
  const close = (): void => {
    try {
      connection.close();
    } catch {
      // Closed already.
    }
  };
  const watch = setInterval(() => {
    if (!isThere(folder)) close();
  }, 5);
  await peer(connection).catch(() => {});
  clearInterval(watch);
  close();
}

/**
 * Connects to the socket in `folder` and presents the token; undefined if the process is gone before.
 * @throws what refused the connection, if the process lives on
 */
async function connected(folder: string): Promise<Deno.UnixConn | undefined> {
  const token = await tokenIn(folder);
  if (!token) return undefined;
  let connection: Deno.UnixConn | undefined;
  try {
    connection = await Deno.connect({ transport: "unix", path: join(folder, "socket", "s") });
    await connection.write(token);
    return connection;
  } catch (error) {
    connection?.close();
    // The host closes the socket of a process that it ends, and removes the folder once the process is gone.
    const goneBy = performance.now() + SLACK_MS;
    while (isThere(folder) && performance.now() < goneBy) await pause(5);
    if (isThere(folder)) throw error;
  }
}

/** Returns the function whose code is in `folder`, once it is; undefined if the process is gone before. */
async function functionOf(folder: string): Promise<number | undefined> {
  while (true) {
    try {
      for (const { name } of Deno.readDirSync(join(folder, "code"))) return Number(name);
    } catch {
      return undefined;
    }
    await pause(1);
  }
}

/** Returns the token that the stand-in left in `folder`; undefined if the process is gone before. */
async function tokenIn(folder: string): Promise<Uint8Array | undefined> {
  while (true) {
    try {
      return Deno.readFileSync(join(folder, "token"));
    } catch {
      if (!isThere(folder)) return undefined;
      await pause(5);
    }
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Does what a process should: asks for a secret, then answers with its caller's tag. */
async function behave(connection: Deno.UnixConn): Promise<void> {
  const writer = new FrameWriter((bytes) => connection.write(bytes), () => false);
  const tags = new Map<number, string>();
  await readFrames((into) => connection.read(into), (type, id, payload) => {
    if (type === ToSandbox.Start) writer.send(ToHost.Ready, 0, "0");
    if (type === ToSandbox.Ping) writer.send(ToHost.Pong, 0);
    if (type === ToSandbox.Call) {
      tags.set(id, tagOf(payload));
      writer.send(ToHost.Ask, id, JSON.stringify([1, "get", "A", null]));
    }
    if (type === ToSandbox.Answer) {
      const [, , value] = JSON.parse(payload);
      const right = value[0] === INNOCENT && String(value[1]) === tags.get(id);
      const body = new TextEncoder().encode(right ? tags.get(id) : `an answer for another call: ${payload}`);
      writer.send(ToHost.Response, id, JSON.stringify([200, [], BodyMode.Whole]), body);
    }
  }).catch(() => {});
}

function tagOf(callMeta: string): string {
  const headers = JSON.parse(callMeta)[3] as string[];
  return headers[headers.indexOf("x-tag") + 1]!;
}

/** Some calls of a function whose process is the fuzzer's; all of them must come to an end. */
async function hostileSession(
  rig: Rig,
  session: number,
  random: Random,
  report: HostReport,
  find: (session: number | string, what: string) => void,
): Promise<void> {
  const spoken: Promise<void>[] = [];
  rig.peers.set(session, (connection) => {
    const done = misbehave(connection, random, session, report, find);
    spoken.push(done.catch(() => {}));
    return done;
  });
  const closeBodies: (() => void)[] = [];
  const calls = Array.from({ length: random.int(1, 5) }, async (_, tag) => {
    report.calls++;
    const { body, close } = requestBody(random);
    closeBodies.push(close);
    const response = await within(rig.run(request(session, tag + 1, body)), 2 * TIMEOUT_MS + SLACK_MS);
    if (!response) return find(session, "a call got no answer");
    await consume(response, random, (what) => find(session, what));
  });
  await Promise.all(
    calls.map((call) => call.catch((error) => find(session, `a call failed as none may: ${text(error)}`))),
  );
  for (const close of closeBodies) close();
  // Nobody waits for anything any more, so the process has to end, and with it the peers.
  rig.pool.retire(session);
  if (!await within(Promise.all(spoken), SLACK_MS)) find(session, "its process lives on, though nobody waits for it");
  rig.peers.delete(session);
}

function requestBody(random: Random): { body: RequestInit; close: () => void } {
  const kind = random.pick(["none", "none", "whole", "stream", "stalled", "broken"]);
  if (kind === "none") return { body: {}, close() {} };
  if (kind === "whole") return { body: { method: "POST", body: new Uint8Array(random.int(0, 70_000)) }, close() {} };
  let pieces = random.int(0, 20);
  const size = random.pick([1, 1_000, 100_000]);
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (given) => void (controller = given),
    pull() {
      if (pieces-- > 0) controller.enqueue(new Uint8Array(size));
      else if (kind === "stream") controller.close();
      else if (kind === "broken") controller.error(new Error("the client has gone"));
    },
  });
  const close = (): void => {
    try {
      controller.close();
    } catch {
      // Over already.
    }
  };
  return { body: { method: "POST", body: stream }, close };
}

/** Reads a response as clients do: to the end, a little, not at all. */
async function consume(response: Response, random: Random, find: (what: string) => void): Promise<void> {
  if (!response.headers.has("x-request-id")) find("a response without X-Request-Id");
  if (!response.body) return;
  const reader = response.body.getReader();
  const reads = random.pick([Infinity, Infinity, Infinity, 0, 1, 3]);
  if (reads === 0) await pause(random.int(0, 2 * TIMEOUT_MS));
  try {
    for (let n = 0; n < reads; n++) {
      const piece = await within(reader.read(), TIMEOUT_MS + SLACK_MS);
      if (!piece) {
        find("a response's body neither went on nor ended");
        break;
      }
      if (piece.done) return;
    }
  } catch {
    return; // Broken off by the host, as it should be.
  }
  // Broken off meanwhile: the same to a client that has gone.
  await reader.cancel().catch(() => {});
}

/** Does what a process may that was taken over. */
async function misbehave(
  connection: Deno.UnixConn,
  random: Random,
  session: number,
  report: HostReport,
  find: (session: number | string, what: string) => void,
): Promise<void> {
  const tags = new Map<number, string>();
  const ended = new Set<number>();
  const listening = random.chance(0.9);
  let over = false;
  const heard = listening
    ? readFrames((into) => connection.read(into), (type, id, payload) => {
      if (type === ToSandbox.Call) {
        tags.set(id, tagOf(payload));
        for (const [, , , value] of JSON.parse(payload)[10]) checkOwner(id, value);
      }
      if (type === ToSandbox.Answer) checkAnswer(id, payload);
    }).catch(() => {}).then(() => {
      over = true;
    })
    : Promise.resolve();
  /** An answer belongs to the call whose frame asked, or that it came with, and to no caller but its own. */
  const checkOwner = (id: number, value: unknown[]): void => {
    if (value[0] !== session) find(session, `got an answer of function ${value[0]}`);
    if (tags.has(id) && String(value[1]) !== tags.get(id)) find(session, "got an answer for another caller");
  };
  const checkAnswer = (id: number, payload: string): void => {
    const [, outcome, value] = JSON.parse(payload);
    if (outcome !== "ok") return;
    checkOwner(id, value);
    if (asksAfterEnd.has(`${id} ${JSON.parse(payload)[0]}`)) find(session, "got an answer after the call had ended");
  };
  const asksAfterEnd = new Set<string>();
  const send = async (frames: HostileFrame[]): Promise<void> => {
    report.frames += frames.length;
    for (const frame of frames) {
      if (frame.type === ToHost.Failed && tags.has(frame.id)) ended.add(frame.id);
      const ask = /^\[(\d+),/.exec(frame.payload)?.[1];
      // Numbers above the fuzzer's usual ones, so that they were not asked before the end as well.
      if (frame.type === ToHost.Ask && ended.has(frame.id) && Number(ask) > 100) asksAfterEnd.add(`${frame.id} ${ask}`);
    }
    await writeAll(connection, concat(frames.map(({ bytes }) => bytes)), random);
  };

  try {
    if (random.chance(0.9)) await send([encode(ToHost.Ready, 0, random.pick(["", "0", "1e308", "-1"]))]);
    const name = random.chance(0.12) ? random.pick(Object.keys(SCENES)) : undefined;
    const scene = SCENES[report.scene ?? name ?? ""];
    if (scene) {
      await pause(10);
      await scene([...tags.keys()], send);
    }
    for (let step = random.int(0, 30); step > 0 && !over; step--) {
      const frames = Array.from({ length: random.int(1, 6) }, () => hostileFrame(random, [...tags.keys()]));
      if (random.chance(0.2) && ended.size > 0) {
        frames.push(encode(ToHost.Ask, random.pick([...ended]), JSON.stringify([1_000 + step, "get", "A", null])));
      }
      await send(frames);
      if (random.chance(0.3)) await pause(random.int(0, 3));
    }
    const farewell = random.pick(["half", "whole", "none", "none"]);
    if (farewell === "half") await connection.closeWrite();
    if (farewell === "whole") connection.close();
    // Else it hangs, until it is killed.
  } catch {
    // The host has hung up.
  }
  if (!listening) {
    // So that the end is seen: a process that never reads is gone when its host has closed.
    const rest = new Uint8Array(65_536);
    await pause(TIMEOUT_MS);
    try {
      while (await connection.read(rest) !== null);
    } catch {
      // Closed or reset.
    }
  }
  await heard;
}

type Scene = (ids: readonly number[], send: (frames: HostileFrame[]) => Promise<void>) => Promise<void>;

/** Floods that chance would hardly find. */
const SCENES: Readonly<Record<string, Scene>> = {
  // Questions whose answers are far larger than they are, in as few portions as can be.
  async asks([id = 1], send) {
    const ask = encode(ToHost.Ask, id, JSON.stringify([1, "get", "BIG", null]));
    const padding = encode(ToHost.Pong, 0, "", new Uint8Array(FRAME_MAX_BYTES - 100));
    await send([padding, ...new Array<HostileFrame>(5_000).fill(ask)]);
  },
  // Pieces of nothing: they use up no window.
  async emptyPieces([id = 1], send) {
    await send([encode(ToHost.Response, id, JSON.stringify([200, [], BodyMode.Stream]))]);
    const piece = encode(ToHost.Chunk, id, "");
    for (let n = 0; n < 20; n++) await send(new Array<HostileFrame>(5_000).fill(piece));
  },
  // As many pieces as the window has bytes.
  async smallPieces([id = 1], send) {
    await send([encode(ToHost.Response, id, JSON.stringify([200, [], BodyMode.Stream]))]);
    const piece = encode(ToHost.Chunk, id, "", new Uint8Array(1));
    for (let n = 0; n < 40; n++) await send(new Array<HostileFrame>(5_000).fill(piece));
  },
  // As many headers as a frame holds.
  async headers(ids, send) {
    for (const id of ids) {
      const headers: string[] = [];
      for (let n = 0; n < 70_000; n++) headers.push(`h${n}`, "");
      await send([encode(ToHost.Response, id, JSON.stringify([200, headers, BodyMode.None]))]);
    }
  },
  // A response that cannot be sent, with a body that goes on.
  async nonsense([id = 1], send) {
    await send([encode(ToHost.Response, id, JSON.stringify([101, [], BodyMode.Stream]))]);
    for (let n = 0; n < 4; n++) await send([encode(ToHost.Chunk, id, "", new Uint8Array(65_536))]);
    await pause(2 * TIMEOUT_MS);
  },
  // Lines without end.
  async lines([id = 0], send) {
    const line = encode(ToHost.Log, id, JSON.stringify(["info", ""]));
    for (let n = 0; n < 10; n++) await send(new Array<HostileFrame>(5_000).fill(line));
  },
};

/** Writes in portions that have nothing to do with where frames begin. */
async function writeAll(connection: Deno.UnixConn, bytes: Uint8Array<ArrayBuffer>, random: Random): Promise<void> {
  const portion = random.pick([Infinity, Infinity, 65_536, 1_000, Math.max(13, Math.ceil(bytes.length / 7))]);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at, at + portion));
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What `promise` gives, or undefined if that takes longer than `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => timer = setTimeout(resolve, ms, undefined));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function text(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function residentMb(): number {
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]) / 1024);
}

/** Processor time of this program's main thread; the kernel counts in 1/100 s (proc_pid_stat(5)). */
function mainThreadCpuMs(): number {
  const stat = Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function countDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

function countChildren(): number {
  return Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/children`).split(" ").filter(Boolean).length;
}

function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}
