// A request that was let in and whose body takes its time: what its sender may do is decided when the body is there.

import assert from "node:assert/strict";
import { setUp, type Visitor } from "./admin.ts";
import { createKey, createSecret, deploy, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

const MANAGEMENT = 1;

/** A request whose head and first bytes have been sent. */
class SlowRequest implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #rest: string;

  private constructor(connection: Deno.TcpConn, rest: string) {
    this.#connection = connection;
    this.#rest = rest;
  }

  static async begin(
    server: Server,
    [method, path, body]: readonly [string, string, string],
    headers: Record<string, string>,
  ): Promise<SlowRequest> {
    const { hostname, port, host } = new URL(server.url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    const lines = Object.entries({
      Host: host,
      "Content-Length": String(body.length),
      Connection: "close",
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    await connection.write(
      new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body.slice(0, 2)}`),
    );
    return new SlowRequest(connection, body.slice(2));
  }

  /** Sends the rest of the body; the status of the answer, and its code if it is the API's. */
  async finish(): Promise<string> {
    await this.#connection.write(new TextEncoder().encode(this.#rest));
    const answer = await new Response(this.#connection.readable).text();
    const [, code] = /"code":"(\w+)"/.exec(answer) ?? [];
    return [answer.split(" ")[1], ...(code === undefined ? [] : [code])].join(" ");
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // It was read to its end.
    }
  }
}

/** Requests that would change something or show a value, one for each kind of resource. */
function changes(ids: { secret: number; function: number; group: number; key: number }): [string, string, string][] {
  const json = (value: unknown) => JSON.stringify(value);
  return [
    ["POST", "/api/keys", json({ groupId: MANAGEMENT, name: "mallory" })],
    ["PUT", `/api/keys/${ids.key}`, json({ name: "renamed" })],
    ["POST", "/api/key-groups", json({ name: "mallory" })],
    ["PUT", `/api/key-groups/${ids.group}`, json({ description: "changed" })],
    ["POST", "/api/secrets", json({ name: "MALLORY", value: "x", scope: "global" })],
    ["PUT", `/api/secrets/${ids.secret}`, json({ value: "changed" })],
    ["POST", "/api/secrets/import", json({ format: "env", content: "MALLORY=x", scope: "global" })],
    ["POST", "/api/secrets/import", json({ format: "env", content: "GIVEN=guess", scope: "global", dryRun: true })],
    ["POST", `/api/secrets/${ids.secret}/copy`, json({ scope: "group", groupId: ids.group })],
    ["POST", "/api/functions", json({ name: "mallory", handler: "one.ts", route: "/mallory" })],
    ["PUT", `/api/functions/${ids.function}`, json({ description: "changed" })],
    ["PUT", "/api/settings", json({ settings: { "log.level": "debug" } })],
    ["PUT", "/api/files/mallory.ts", json({ content: "export default 1", encoding: "utf-8" })],
    ["POST", "/api/file-moves", json({ from: "one.ts", to: "two.ts" })],
  ];
}

async function stateOf(server: Server): Promise<string> {
  const paths = ["keys", "key-groups", "secrets?includeValues=true", "functions", "settings", "files"];
  const answers = await Promise.all(paths.map((path) => server.api("GET", `/api/${path}`)));
  // A use of a key is no change.
  return JSON.stringify(answers.map(({ body }) => body), (name, value) => name === "lastUsedAt" ? undefined : value);
}

/** Begins every change with `headers`, takes the entitlement away, sends the rest. */
async function assertRefused(
  server: Server,
  requests: readonly (readonly [string, string, string])[],
  headers: Record<string, string>,
  takeAway: () => Promise<unknown>,
  refusal = "401 EntitlementLost",
): Promise<void> {
  const begun = await Promise.all(requests.map((request) => SlowRequest.begin(server, request, headers)));
  try {
    // The server has let them in once a later request of another connection is answered.
    assert.equal((await server.api("GET", "/api/settings")).status, 200);
    await takeAway();
    const before = await stateOf(server);
    const answers = await Promise.all(begun.map((request) => request.finish()));
    assert.deepEqual(
      answers.map((answer, index) => `${requests[index]!.slice(0, 2).join(" ")} ${answer}`),
      requests.map(([method, path]) => `${method} ${path} ${refusal}`),
    );
    assert.equal(await stateOf(server), before);
  } finally {
    begun.forEach((request) => request[Symbol.dispose]());
  }
}

async function fill(server: Server) {
  const fn = await deploy(server, "one", "export default (c) => c.text('one');");
  const secret = await createSecret(server, "GIVEN", "value");
  const key = await createKey(server, MANAGEMENT, "to-be-revoked");
  const other = await createKey(server, MANAGEMENT, "other");
  const group = await server.api("POST", "/api/key-groups", { name: "ops" });
  return { key, ids: { secret, function: fn, group: group.body.id as number, key: other.id } };
}

Deno.test("a change whose body ends after its key was revoked is refused, and nothing is written", async () => {
  await using server = await startApp();
  const { key, ids } = await fill(server);
  const headers = { "X-API-Key": key.value, "Content-Type": "application/json" };
  await assertRefused(server, changes(ids), headers, () => server.api("DELETE", `/api/keys/${key.id}`));
});

Deno.test("a change whose body ends after its key's group lost the API is refused", async () => {
  await using server = await startApp();
  const { ids } = await fill(server);
  const key = await createKey(server, ids.group, "operator");
  await set(server, { "api.access-groups": ["management", "ops"] });
  const headers = { "X-API-Key": key.value, "Content-Type": "application/json" };
  await assertRefused(
    server,
    changes(ids),
    headers,
    () => set(server, { "api.access-groups": ["management"] }),
    "403 EntitlementLost",
  );
});

Deno.test("a change whose body ends after its user was removed or signed out is refused, on pages, too", async () => {
  await using server = await startApp();
  const { ids } = await fill(server);
  const ada = await setUp(server);
  const headersOf = (visitor: Visitor, type: string) => ({
    Cookie: visitor.cookie,
    Origin: server.url,
    "Sec-Fetch-Site": "same-origin",
    "Content-Type": type,
  });
  await assertRefused(
    server,
    changes(ids),
    headersOf(ada, "application/json"),
    () => ada.post("/web/sign-out", {}),
  );
  await ada.signIn();
  const form = new URLSearchParams({ name: "MALLORY", value: "x", scope: "global", comment: "" }).toString();
  const request = ["POST", "/web/secrets/new", form] as const;
  using begun = await SlowRequest.begin(server, request, headersOf(ada, "application/x-www-form-urlencoded"));
  assert.equal((await ada.get("/web")).status, 200);
  await ada.post("/web/sign-out", {});
  const before = await stateOf(server);
  assert.equal(await begun.finish(), "401");
  assert.equal(await stateOf(server), before);
});
