// The hosts that functions connect to, from the checks of Deno's permissions in real processes.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { startApp } from "./app.ts";
import { createSecret, deploy, run } from "./handlers.ts";
import type { Server } from "./server.ts";

interface Connection {
  host: string;
  checks: number;
  proposed: boolean;
}

/** Waits until a function's connections are as wanted: they are read from its process's pipe a moment later. */
async function proposalWhen(server: Server, id: number, isThere: (connections: Connection[]) => boolean) {
  while (true) {
    const { status, body } = await server.api("GET", `/api/functions/${id}/suggestions`);
    assert.equal(status, 200);
    if (isThere(body.connections ?? [])) return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const has = (...hosts: string[]) => (connections: Connection[]): boolean =>
  hosts.every((host) => connections.some((connection) => connection.host === host));

/** Connects by each way there is; every one of them fails, as the names do not exist. */
const EVERY_WAY = `import http from "node:http";
import net from "node:net";
const ways = {
  fetch: () => fetch("https://fetch.invalid/path?key=hidden"),
  ip: () => fetch("http://[fd00::9]:81/"),
  connect: () => Deno.connect({ hostname: "Connect.invalid", port: 82 }),
  tls: () => Deno.connectTls({ hostname: "tls.invalid", port: 83 }),
  socket: () => new Promise((done) => new WebSocket("ws://socket.invalid:84/").onerror = done),
  node: () => new Promise((done) => http.get("http://node.invalid:85/").on("error", done)),
  net: () => new Promise((done) => net.connect(86, "net.invalid").on("error", done)),
  machine: () => fetch("http://localhost:87/"),
  link: () => fetch("http://169.254.169.254/"),
  underscore: () => fetch("http://with_underscore.invalid:88/"),
};
export default async (c) => {
  for (const way of c.req.query("ways").split(",")) await Promise.resolve().then(ways[way]).catch(() => {});
  return c.text("done");
};`;

Deno.test("hosts are seen however a handler connects, and a proposal has those that it may connect to", async () => {
  await using server = await startApp();
  const { api } = server;
  const id = await deploy(server, "every", EVERY_WAY);
  assert.equal((await run(server, "/every?ways=machine,link,fetch,ip,connect,tls,socket,node,net")).status, 200);
  const hosts = [
    ...["[fd00::9]:81", "connect.invalid:82", "fetch.invalid:443", "net.invalid:86", "node.invalid:85"],
    ...["socket.invalid:84", "tls.invalid:83"],
  ];
  const proposal = await proposalWhen(server, id, has(...hosts));
  assert.deepEqual(proposal.permissions.net, hosts, "neither this machine nor link-local addresses");
  assert.deepEqual(proposal.connections.map(({ host }: Connection) => host), hosts);
  assert.ok(proposal.connections.every(({ checks, proposed }: Connection) => checks > 0 && proposed));
  assert.doesNotMatch(JSON.stringify(proposal), /hidden|path/);

  // It can be applied as it is, and the same calls still do what they did.
  const { permissions } = proposal;
  assert.equal((await api("PUT", `/api/functions/${id}`, { permissions })).status, 200);
  assert.equal((await run(server, "/every?ways=fetch,machine,node")).status, 200);
  const again = await proposalWhen(server, id, () => true);
  assert.deepEqual(again.permissions.net, hosts);

  // What was allowed before and is not now is not proposed again.
  await api("PUT", `/api/functions/${id}`, { permissions: { net: ["fetch.invalid", "other.invalid:1"] } });
  const narrow = await proposalWhen(server, id, () => true);
  assert.deepEqual(narrow.permissions.net, ["fetch.invalid:443"]);
  assert.deepEqual(
    narrow.connections.filter(({ proposed }: Connection) => proposed).map(({ host }: Connection) => host),
    ["fetch.invalid:443"],
  );
});

Deno.test("a function that connects nowhere is proposed no host; one with hosts that no list can have stays as it is", async () => {
  await using server = await startApp();
  const id = await deploy(server, "every", EVERY_WAY);
  assert.deepEqual((await proposalWhen(server, id, () => true)).connections, null, "without a call, nothing is known");
  assert.equal((await run(server, "/every?ways=link")).status, 200);
  const none = await proposalWhen(server, id, () => true);
  assert.deepEqual([none.permissions.net, none.connections], [false, []]);
  assert.equal((await run(server, "/every?ways=fetch,underscore")).status, 200);
  const others = await proposalWhen(server, id, has("*", "fetch.invalid:443"));
  assert.equal(others.permissions.net, true);
  const visitor = await setUp(server);
  const { text } = await visitor.get(`/web/functions/${id}/suggestions`);
  assert.match(text, /fetch\.invalid:443[\s\S]*no list is proposed then/);
});

Deno.test("a name with all below it opens these, by each way and for look-ups, and no other host", async () => {
  await using server = await startApp();
  const code = `import dns from "node:dns";
    import net from "node:net";
    export default async (c) => {
      const host = c.req.query("host");
      const port = Number(c.req.query("port") ?? 443);
      const codes = [];
      await fetch("https://" + host + ":" + port).catch((error) => codes.push(error.name));
      await new Promise((done) => net.connect(port, host).on("error", (error) => done(codes.push(error.code))));
      await new Promise((done) => dns.lookup(host, (error) => done(codes.push(error.code))));
      return c.json(codes);
    };`;
  const id = await deploy(server, "below", code, { permissions: { net: ["*.wild.invalid:443"] } });
  const outcome = async (query: string) => (await run(server, `/below?host=${query}`)).body;
  for (const host of ["a.b.wild.invalid", "wild.invalid"]) {
    const [fetched, connected, looked] = await outcome(host);
    assert.deepEqual([fetched, looked === "EPERM", connected === "EPERM"], ["TypeError", false, false], host);
  }
  const [fetched, , looked] = await outcome("notwild.invalid");
  assert.deepEqual([fetched, looked], ["NotCapable", "EPERM"]);
  assert.equal((await outcome("a.wild.invalid&port=444"))[0], "NotCapable");
  // The last one was looked up, which no port restricts.
  const hosts = ["a.b.wild.invalid:443", "a.wild.invalid:443", "wild.invalid:443"];
  const { permissions } = await proposalWhen(server, id, has(...hosts));
  assert.deepEqual(permissions.net, hosts);
  for (
    const entry of ["*", "*.com", "a.*.example.com", "*a.example.com", "*.1.2.3.4", "*.a..example", "**.a.example"]
  ) {
    const refused = await server.api("PUT", `/api/functions/${id}`, { permissions: { net: [entry] } });
    assert.equal(refused.status, 400, entry);
  }
});

Deno.test("no secret is stored as a part of a host, and hosts of sealed requests are seen too", async () => {
  await using server = await startApp();
  const { api } = server;
  await createSecret(server, "TENANT", "Tenant-Token-1234567");
  const sealed = { name: "SEALED", value: "a sealed value", scope: "global", sealed: true, hosts: ["sealed.invalid"] };
  assert.equal((await api("POST", "/api/secrets", sealed)).status, 201);
  const id = await deploy(
    server,
    "teller",
    `export default async (c, ctx) => {
      const headers = { authorization: await ctx.getSecret("SEALED") };
      await fetch("https://sealed.invalid/", { headers }).catch(() => {});
      await fetch("https://" + await ctx.getSecret("TENANT") + ".example.invalid/").catch(() => {});
      return c.text("");
    };`,
  );
  assert.equal((await run(server, "/teller")).status, 200);
  const { connections } = await proposalWhen(server, id, has("*", "sealed.invalid:443"));
  assert.equal(connections.length, 2);
  assert.doesNotMatch(JSON.stringify(connections), /tenant/i);
});

Deno.test("hosts on trial refuse nothing, and the log and metrics say what they would refuse", async () => {
  await using server = await startApp();
  const { api } = server;
  const id = await deploy(server, "every", EVERY_WAY);
  const trial = { permissions: { net: ["fetch.invalid:443"] } };
  const tried = await api("PUT", `/api/functions/${id}`, { trial });
  assert.deepEqual(tried.body.function.trial, { permissions: { ...trial.permissions, read: "modules", env: false } });
  for (let n = 0; n < 2; n++) assert.equal((await run(server, "/every?ways=fetch,connect,link")).status, 200);
  await proposalWhen(server, id, has("connect.invalid:82"));
  const { logs } = (await api("GET", `/api/logs?functionId=${id}`)).body;
  const warnings = logs.filter(({ level }: { level: string }) => level === "warn");
  assert.deepEqual(warnings.map(({ message, requestId }: Record<string, unknown>) => [message, requestId]), [
    ["On trial: a connection to connect.invalid:82 would be refused. It was allowed.", null],
  ]);
  assert.match((await api("GET", "/metrics")).body, /trial_refusals_total\{function="every"[^}]*\} 1/);

  // The page offers a trial of what it proposes, and ends one.
  const visitor = await setUp(server);
  const path = `/web/functions/${id}/suggestions`;
  const fieldsOf = (text: string, button: string) => {
    const [, version] = text.match(/name="version" value="([^"]*)"/)!;
    const [, proposal] = text.match(new RegExp(`name="proposal" value="([^"]*)"[^>]*>\\s*${button}`))!;
    return { version: version!, proposal: proposal!.replaceAll("&quot;", '"') };
  };
  const shown = (await visitor.get(path)).text;
  assert.match(shown, /On trial are only these hosts: fetch\.invalid:443/);
  assert.equal((await visitor.post(path, fieldsOf(shown, "End the trial"))).status, 303);
  assert.equal((await visitor.post(path, fieldsOf((await visitor.get(path)).text, "Try it first"))).status, 303);
  const { function: onTrial } = (await api("GET", `/api/functions/${id}`)).body;
  assert.deepEqual(onTrial.trial, {
    secrets: [],
    permissions: { net: ["connect.invalid:82", "fetch.invalid:443"], read: "modules", env: false },
  });
  assert.equal((await visitor.post(path, fieldsOf((await visitor.get(path)).text, "Apply"))).status, 303);
  const { function: applied } = (await api("GET", `/api/functions/${id}`)).body;
  assert.deepEqual(applied.permissions.net, ["connect.invalid:82", "fetch.invalid:443"]);
  assert.equal(applied.trial, undefined);
  for (const bad of [{}, { permissions: {} }, { permissions: { net: [] } }, { permissions: { net: "x" } }]) {
    assert.equal((await api("PUT", `/api/functions/${id}`, { trial: bad })).status, 400, JSON.stringify(bad));
  }
});
