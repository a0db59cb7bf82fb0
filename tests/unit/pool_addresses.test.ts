// Processes when the addresses of the machine, or of another node of the cluster, change.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createHealth } from "../../src/sandbox/host/health.ts";
import { Pool, type Target } from "../../src/sandbox/host/pool.ts";
import type { HostedCaller } from "../../src/sandbox/host/sandbox.ts";
import { prepareRuntime } from "../../src/sandbox/process/toolchain.ts";
import { openUsageReader } from "../../src/sandbox/process/proc_stats.ts";

const runtime = await prepareRuntime(fileURLToPath(new URL("../../", import.meta.url)));

const HANDLER = `const id = crypto.randomUUID();
export default async () => {
  try {
    (await Deno.connect({ hostname: "198.51.100.7", port: 9 })).close();
    return Response.json({ id, error: "connected" });
  } catch (error) {
    return Response.json({ id, error: error.name });
  }
};`;

Deno.test("a process does not outlive a new address of the machine, and the next one cannot connect to it", () =>
  replaceProcess("machine"));

Deno.test("a process does not outlive a new address of another node, and the next one cannot connect to it", () =>
  replaceProcess("node"));

Deno.test("a process does not outlive a new address of PostgreSQL, and the next one cannot connect to it", () =>
  replaceProcess("database"));

async function replaceProcess(changed: "machine" | "node" | "database"): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.chmod(folder, 0o711);
  const [runDir, codeDir] = [join(folder, "run"), join(folder, "code")];
  await Deno.mkdir(runDir, { mode: 0o711 });
  await Deno.mkdir(codeDir);
  const handler = join(codeDir, "handler.ts");
  await Deno.writeTextFile(handler, HANDLER);
  const usage = openUsageReader();
  const hosts = ["192.0.2.1"];
  const nodes = ["192.0.2.8:9"];
  const databases = ["192.0.2.7:5432"];
  const replaced = Promise.withResolvers<void>();
  let starts = 0;
  const pool = new Pool<HostedCaller>({
    health: createHealth(Date.now),
    process: {
      runDir,
      codeDir,
      runtime,
      usage,
      ownAddresses: () => hosts.map((host) => `${host}:8000`),
      nodeAddresses: () => nodes,
      databaseAddresses: () => databases,
      machineHosts: () => hosts,
      denyNet: () => [],
    },
    answerer: { answer: () => undefined, prefetch: () => undefined },
    limits: LIMITS,
    onStart: () => {
      if (++starts === 2) replaced.resolve();
      return undefined;
    },
    onLog: () => {},
  });
  const call = async (): Promise<{ id: string; error: string }> => {
    const { body } = await pool.call(target(handler), request());
    return JSON.parse(typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array));
  };
  try {
    const { id } = await call();
    assert.equal((await call()).id, id);
    if (changed === "machine") hosts.push("198.51.100.7");
    else (changed === "node" ? nodes : databases).push("198.51.100.7:9");
    let next = await call();
    while (next.id === id) next = await call();
    await replaced.promise;
    assert.equal(next.error, "NotCapable");
  } finally {
    await pool.stop();
    await usage.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const LIMITS = {
  maxProcesses: () => 8,
  maxCalls: () => 8,
  maxPerFunction: () => 1,
  spareProcesses: () => 0,
  idleSeconds: () => 60,
  maxCallMs: () => 60_000,
  revocationGraceMs: () => 4_000,
  callsMemoryMb: () => 64,
};

function target(handler: string): Target {
  return {
    functionId: 1,
    tenant: 0,
    version: "1",
    code: {
      files: [handler],
      lock: undefined,
      config: undefined,
      packages: [],
      packageFiles: [],
      importHosts: [],
      net: true,
      memoryMb: 64,
    },
    route: { name: "f", description: "", handler: "handler.ts", route: "/f", methods: ["GET"], keys: [] },
    timeoutMs: 5_000,
  };
}

function request() {
  return {
    method: "GET",
    url: "http://localhost/run/f",
    path: "/run/f",
    headers: [],
    params: {},
    requestId: crypto.randomUUID(),
    requestedAt: Date.now(),
    group: null,
    body: null,
    bodyTimeoutMs: 0,
    caller: { isCurrent: true, isEntitled: true, accepted() {}, ended() {} },
  };
}
