// Handlers and owners for a test, made through the API as a user makes them.

import assert from "node:assert/strict";
import type { Answer, Server } from "./server.ts";
import { call } from "./server.ts";

export interface FunctionOptions {
  route?: string;
  methods?: string[];
  keys?: number[];
  permissions?: { net: boolean | string[] };
  secrets?: string[];
  isolation?: "shared" | "per-key";
  responseGuard?: "off" | "report" | "block";
  timeoutMs?: number | null;
  memoryMb?: number | null;
  files?: string[];
}

/** Saves `code` as `<name>.ts` and registers it under `/<name>`; its id. */
export async function deploy(
  server: Server,
  name: string,
  code: string,
  options: FunctionOptions = {},
): Promise<number> {
  await save(server, `${name}.ts`, code);
  const created = await server.api("POST", "/api/functions", {
    name,
    handler: `${name}.ts`,
    route: `/${name}`,
    methods: ["GET", "POST"],
    ...options,
  });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  return created.body.function.id;
}

/** Writes a file of the code folder; the problems that its imports have. */
export async function save(
  server: Server,
  path: string,
  code: string,
): Promise<string[]> {
  const saved = await server.api(
    "PUT",
    `/api/files/${encodeURIComponent(path)}`,
    code,
    {
      "Content-Type": "text/plain",
    },
  );
  assert.ok(
    saved.status === 201 || saved.status === 200,
    JSON.stringify(saved.body),
  );
  return saved.body.problems;
}

export async function createGroup(
  server: Server,
  name: string,
): Promise<number> {
  const created = await server.api("POST", "/api/key-groups", { name });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  return created.body.id;
}

export async function createKey(
  server: Server,
  groupId: number,
  name: string,
): Promise<{ id: number; value: string }> {
  const created = await server.api("POST", "/api/keys", { groupId, name });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  return created.body;
}

/** Such as `createSecret(server, "DB", "value", { scope: "key", keyId: 3 })`; global without an owner. */
export async function createSecret(
  server: Server,
  name: string,
  value: string,
  owner: Record<string, unknown> = { scope: "global" },
): Promise<number> {
  const created = await server.api("POST", "/api/secrets", {
    name,
    value,
    ...owner,
  });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  return created.body.id;
}

/** Calls a function, with an API key if one is given. */
export function run(
  server: Server,
  path: string,
  key?: string,
  init: { method?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers = { ...(key ? { "X-API-Key": key } : {}), ...init.headers };
  return call(
    init.method ?? "GET",
    `${server.url}/run${path}`,
    init.body,
    headers,
  );
}

/** Changes settings. */
export async function set(server: Server, settings: Record<string, unknown>): Promise<void> {
  const { status, body } = await server.api("PUT", "/api/settings", { settings });
  assert.equal(status, 200, JSON.stringify(body));
}
