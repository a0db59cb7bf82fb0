// Sealed canaries: an alert says at once to which host the value went, or was to go.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { deploy, run } from "./handlers.ts";
import { startHost } from "./sealed_host.ts";

const VALUE = "sk_live_51Habcdefghijklmnop";

Deno.test("a sealed canary alerts when it is sent to a host, and when it was to go where it may not", async () => {
  await using server = await startApp();
  await using host = startHost(false);
  await using other = startHost(false);
  const [own, elsewhere] = [`127.0.0.1:${host.port}`, `127.0.0.1:${other.port}`];
  const canary = { scope: "global", sealed: true, canary: true };
  const bait = (name: string, more: object) =>
    server.api("POST", "/api/secrets", { ...canary, name, value: `${VALUE}${name}`, ...more });
  const id = (await bait("BAIT", { hosts: [`http://${own}`], in: ["header", "body"] })).body.id;
  // So that requests with BAIT's placeholder pass the egress process there, too.
  await bait("OTHER", { hosts: [`http://${elsewhere}/`.slice(0, -1)] });
  // Few enough that no two of their entries in the audit are counted as one.
  const ways: Record<string, string> = {
    basic: `await fetch(own, { headers: { authorization: "Basic " + btoa("u:" + key) } })`,
    body:
      `await fetch(own, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ key }) })`,
    stream:
      `await fetch(own, { method: "POST", headers: { "content-type": "text/plain" }, body: new ReadableStream({ async start(c) {
      for (const piece of [key.slice(0, 9), key.slice(9)]) { c.enqueue(new TextEncoder().encode(piece)); await new Promise((d) => setTimeout(d, 5)); } c.close(); } }) })`,
    query: `await fetch(own + "/?k=" + key)`,
    direct: `await fetch(away, { headers: { x: key } })`,
    node:
      `const http = await import("node:http"); await new Promise((done) => http.get(away, { headers: { x: key } }, (a) => a.resume().on("end", done)))`,
    egress: `await ctx.getSecret("OTHER"); await fetch(away, { headers: { x: key } })`,
    redirect: `await fetch(own + "/?status=302&location=" + encodeURIComponent(away), { headers: { x: key } })`,
  };
  for (const [name, way] of Object.entries(ways)) {
    await deploy(
      server,
      name,
      `export default async (c, ctx) => {
        const [own, away] = ["http://${own}", "http://${elsewhere}"];
        const key = await ctx.getSecret("BAIT"); ${way}; return c.text("done");
      }`,
      { permissions: { net: [own, elsewhere] } },
    );
  }
  const alertsOf = async (name: string): Promise<unknown[]> => {
    const { entries } = (await server.api("GET", "/api/audit?action=secret.canary&limit=200")).body;
    return entries.filter(({ subject, after }: Record<string, Record<string, unknown>>) =>
      subject!.id === id && after!.functionName === name && after!.how !== "read"
    ).map(({ after }: { after: Record<string, unknown> }) => [after.how, after.host, after.blockedBy ?? null])
      .reverse();
  };
  const sent = ["sent-to-host", own, null];
  const expected: Record<string, unknown[]> = {
    basic: [sent],
    body: [sent],
    stream: [sent],
    query: [["blocked", own, "place"]],
    direct: [["blocked", elsewhere, "host"]],
    node: [["blocked", elsewhere, "host"]],
    egress: [["blocked", elsewhere, "host"]],
    redirect: [sent, ["blocked", elsewhere, "host"]],
  };
  for (const name of Object.keys(ways)) {
    assert.equal((await run(server, `/${name}`)).status, 200, name);
    // An entry of the audit is stored after the call's answer.
    await server.logged(new RegExp(`"BAIT" was (?:sent to|withheld).*function "${name}"`));
    for (let n = 0; n < 100 && (await alertsOf(name)).length < expected[name]!.length; n++);
    assert.deepEqual(await alertsOf(name), expected[name], name);
  }
  await server.logged(
    new RegExp(`The canary secret ${id} "BAIT" was sent to the host "${own}" by the function "basic"`),
  );
  await server.logged(
    /"BAIT" was withheld from a request to the host ".*", which is not one of its hosts, of the function/,
  );
  assert.ok(!server.logs().includes(VALUE));
  assert.ok(other.received.every(({ headers }) => !headers.x?.includes(VALUE)));
});

Deno.test("a placeholder in a URL without a host, or with an odd one, does not end the process", async () => {
  await using server = await startApp();
  const secret = {
    name: "BAIT",
    value: VALUE,
    scope: "global",
    sealed: true,
    canary: true,
    hosts: ["api.example.com"],
  };
  assert.equal((await server.api("POST", "/api/secrets", secret)).status, 201);
  await deploy(
    server,
    "odd",
    `const since = crypto.randomUUID();
    export default async (c, ctx) => {
      const key = await ctx.getSecret("BAIT");
      const data = await (await fetch("data:text/plain," + key)).text();
      const odd = ["http://a~b.invalid/", "http://a!$&'()*+,;=b.invalid/", "about:blank#", "blob:null/"];
      for (const url of odd) await fetch(url + key).catch(() => {});
      return c.json([data === key, since]);
    };`,
  );
  const [first, second] = [await run(server, "/odd"), await run(server, "/odd")];
  assert.deepEqual([first.status, second.status], [200, 200]);
  assert.equal((first.body as unknown[])[0], true);
  assert.deepEqual(first.body, second.body, "another process answered");
});
