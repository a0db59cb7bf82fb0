// A terminal gets a session of its own once a user has approved it in the browser.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { ADMIN, setUp, type Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("base64url");

/** What `crude login` makes. */
function request() {
  const verifier = randomBytes(32).toString("base64url");
  const challenge = sha256(verifier);
  const state = randomBytes(16).toString("base64url");
  const fields = { challenge, proof: sha256(`${challenge}.BCDFGHJK`), state, port: "40123", machine: "laptop" };
  return { verifier, state, fields, page: `/web/terminal?${new URLSearchParams(fields)}` };
}

/** Approves, and returns the code that the browser takes to the terminal's machine. */
async function approve(visitor: Visitor, { fields, state }: ReturnType<typeof request>): Promise<string> {
  const answer = await visitor.post("/web/terminal", { ...fields, code: "bcdf-ghjk", password: ADMIN.password });
  assert.equal(answer.status, 303, answer.text);
  const done = await visitor.get(answer.headers.get("location")!);
  const [, address] = /^0; url=(.*)$/.exec(done.headers.get("refresh")!)!;
  const { origin, searchParams } = new URL(address!);
  assert.deepEqual([origin, searchParams.get("state")], ["http://127.0.0.1:40123", state]);
  return searchParams.get("code")!;
}

async function exchange(server: Server, code: string, verifier: string) {
  return await call("POST", `${server.url}/api/sessions`, { code, verifier }, { "User-Agent": "crude/1 on laptop" });
}

Deno.test("a terminal that was approved has a session, which is listed and ends", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const wanted = request();
  assert.match((await visitor.get(wanted.page)).text, /A terminal on laptop asks to manage this server/);
  const { status, body } = await exchange(server, await approve(visitor, wanted), wanted.verifier);
  assert.equal(status, 201);
  assert.equal(body.email, ADMIN.email);
  assert.match(body.expiresAt, /^\d{4}-/);

  const headers = { Authorization: `Bearer ${body.session}` };
  const group = await call("POST", `${server.url}/api/key-groups`, { name: "staging" }, headers);
  assert.equal(group.status, 201, "without the Origin of a page, as no browser sends this header");
  const { body: { entries } } = await server.api("GET", "/api/audit?action=key-group.created");
  assert.equal(entries[0].actor.name, ADMIN.email);
  assert.match((await visitor.get("/web/account")).text, /crude\/1 on laptop/);

  assert.equal((await call("DELETE", `${server.url}/api/sessions/current`, undefined, headers)).status, 200);
  assert.equal((await call("GET", `${server.url}/api/key-groups`, undefined, headers)).status, 401);
  assert.equal((await visitor.get("/web/account")).status, 200, "the browser's own session goes on");
});

Deno.test("a code is exchanged once, and only with its verifier", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const wanted = request();
  const stolen = await approve(visitor, wanted);
  assert.equal((await exchange(server, stolen, randomBytes(32).toString("base64url"))).status, 401);
  assert.equal((await exchange(server, stolen, wanted.verifier)).status, 401, "it was used up");
  const code = await approve(visitor, wanted);
  assert.equal((await exchange(server, code, wanted.verifier)).status, 201);
  assert.equal((await exchange(server, code, wanted.verifier)).status, 401);
  assert.equal((await exchange(server, "x", "y")).status, 400);
});

Deno.test("approving takes the terminal's code and the password, and a session in the browser", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const { fields, page } = request();
  const right = { ...fields, code: "BCDFGHJK", password: ADMIN.password };
  for (
    const [wrong, problem] of [
      [{ code: "BCDFGHJL" }, /is not the terminal/],
      [{ code: "" }, /is not the terminal/],
      [{ password: "another password" }, /is wrong/],
    ] as const
  ) {
    const { status, text } = await visitor.post("/web/terminal", { ...right, ...wrong });
    assert.equal(status, 400);
    assert.match(text, problem);
  }
  for (const wrong of [{ port: "70000" }, { port: "80@example.com" }, { challenge: "short" }, { state: "" }]) {
    assert.equal((await visitor.post("/web/terminal", { ...right, ...wrong })).status, 400, JSON.stringify(wrong));
  }
  assert.equal((await visitor.get("/web/terminal")).status, 400);
  visitor.cookies.clear();
  const out = await visitor.get(page);
  assert.deepEqual([out.status, out.headers.get("location")?.startsWith("/web/sign-in?to=")], [303, true]);
});

Deno.test("a terminal's session ends with its user's other sessions, and a key is no session", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const wanted = request();
  const { body } = await exchange(server, await approve(visitor, wanted), wanted.verifier);
  const use = (headers: Record<string, string>) => call("GET", `${server.url}/api/key-groups`, undefined, headers);
  assert.equal((await use({ Authorization: `Bearer ${body.session}` })).status, 200);
  assert.equal((await use({ "X-API-Key": body.session })).status, 401);
  assert.equal((await use({ Authorization: `Bearer crude_session_${server.key}` })).status, 401);
  assert.equal((await call("GET", `${server.url}/api/key-groups?api_key=${body.session}`)).status, 401);
  await visitor.post("/web/account/sessions/end-all", {});
  assert.equal((await use({ Authorization: `Bearer ${body.session}` })).status, 401);
  const { status } = await server.api("DELETE", "/api/sessions/current");
  assert.equal(status, 404);
});
