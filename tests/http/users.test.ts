// Users of the admin pages: inviting, resetting and removing them, their passwords, sessions and second factors.

import assert from "node:assert/strict";
import { matchingStep, totpCode, totpStep } from "../../src/keyring/totp.ts";
import { makeHome } from "../cli/cli.ts";
import { ADMIN, fromBase32, type Page, setUp, Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import { set } from "./handlers.ts";
import { type Server } from "./server.ts";

const BOB = { name: "Bob", email: "bob@example.com", password: "another long password" };

/** The token of the link that a page shows. */
function linkIn({ text, status }: Page): string {
  assert.equal(status, 200, text);
  return /\/web\/password\?token=([\w-]{43})/.exec(text)![1]!;
}

/** A second user, signed in. */
async function addBob(server: Server, admin: Visitor): Promise<Visitor> {
  const token = linkIn(await admin.submit("/web/users", { name: BOB.name, email: BOB.email }));
  const bob = new Visitor(server.url);
  const chosen = await bob.post("/web/password", { token, password: BOB.password, again: BOB.password });
  assert.deepEqual([chosen.status, chosen.headers.get("location")], [303, "/web"]);
  return bob;
}

const isIn = async (visitor: Visitor) => (await visitor.get("/api/functions")).status === 200;

Deno.test("an invitation lets somebody choose a password once, and tells the password to nobody else", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const invited = await admin.submit("/web/users", { name: BOB.name, email: "  BOB@example.com " });
  const token = linkIn(invited);
  assert.ok(invited.text.includes(`${server.url}/web/password?token=${token}`));
  assert.equal((await new Visitor(server.url).signIn("", BOB.email)).status, 401, "not without a password");

  const bob = new Visitor(server.url);
  assert.match((await bob.get(`/web/password?token=${token}`)).text, /bob@example\.com/);
  const short = await bob.post("/web/password", { token, password: "short", again: "short" });
  assert.equal(short.status, 400);
  const passwords = { password: BOB.password, again: BOB.password };
  const many = await Promise.all(
    Array.from({ length: 4 }, () => new Visitor(server.url).post("/web/password", { token, ...passwords })),
  );
  assert.deepEqual(many.map(({ status }) => status).toSorted(), [303, 404, 404, 404]);
  assert.equal((await bob.post("/web/password", { token, ...passwords })).status, 404);
  assert.equal((await bob.get(`/web/password?token=${token}`)).status, 404);
  assert.equal((await bob.get(`/web/password`)).status, 404);
  assert.equal((await bob.signIn(BOB.password, BOB.email)).status, 303);

  const twice = await admin.post("/web/users", { name: "B", email: BOB.email });
  assert.deepEqual([twice.status, /taken/.test(twice.text)], [400, true]);
});

Deno.test("a reset changes nothing until its link is used, then ends all sessions; a newer link replaces it", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const bob = await addBob(server, admin);
  const first = linkIn(await admin.submit("/web/users/2/reset", {}));
  const second = linkIn(await admin.submit("/web/users/2/reset", {}));
  assert.ok(await isIn(bob));
  const passwords = { password: "a third long password", again: "a third long password" };
  assert.equal((await bob.post("/web/password", { token: first, ...passwords })).status, 404);
  assert.equal((await new Visitor(server.url).post("/web/password", { token: second, ...passwords })).status, 303);
  assert.equal(await isIn(bob), false);
  assert.equal((await new Visitor(server.url).signIn(BOB.password, BOB.email)).status, 401);
});

Deno.test("users do not get around their own password and second factor by a reset of themselves", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  await addBob(server, admin);
  for (const choice of ["", "remove"]) {
    const { status, text } = await admin.post("/web/users/1/reset", { "second-factor": choice });
    assert.equal(status, 409);
    assert.match(text, /on the page of your account/);
    assert.doesNotMatch(text, /token=/);
  }
  assert.doesNotMatch((await admin.get("/web/users/1")).text, /action="\/web\/users\/1\/reset"/);
  assert.match((await admin.get("/web/users/2")).text, /action="\/web\/users\/2\/reset"/);
});

Deno.test("a removed user's sessions end at once, and the last user stays, also if all are removed at once", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const bob = await addBob(server, admin);
  const unsure = await admin.post("/web/users/2/remove", { email: ADMIN.email });
  assert.equal(unsure.status, 400);
  assert.ok(await isIn(bob));

  const [byAda, byBob] = await Promise.all([
    admin.post("/web/users/2/remove", { email: BOB.email }),
    bob.post("/web/users/1/remove", { email: ADMIN.email }),
  ]);
  const [kept, removed] = byAda.status === 303 ? [admin, bob] : [bob, admin];
  assert.equal((byAda.status === 303 ? byBob : byAda).status === 303, false);
  assert.deepEqual([await isIn(kept), await isIn(removed)], [true, false]);

  const [id, email] = kept === admin ? [1, ADMIN.email] : [2, BOB.email];
  linkIn(await kept.submit("/web/users", { name: "Eve", email: "eve@example.com" }));
  const last = await kept.post(`/web/users/${id}/remove`, { email });
  assert.match(last.text, /last user who can sign in cannot be removed/);
  assert.equal((await kept.post("/web/users/3/remove", { email: "eve@example.com" })).status, 303);
  assert.ok(await isIn(kept));
});

Deno.test("a new password ends the other sessions, not this one, and wants the old one", async () => {
  await using server = await startApp();
  const here = await setUp(server);
  const there = new Visitor(server.url);
  await there.signIn();
  const form = { current: ADMIN.password, password: "a third long password", again: "a third long password" };
  const wrong = await here.post("/web/account/password", { ...form, current: "not the old one" });
  assert.deepEqual([wrong.status, /Current password is wrong/.test(wrong.text)], [400, true]);
  assert.ok(await isIn(there));
  assert.equal((await here.post("/web/account/password", form)).status, 303);
  assert.deepEqual([await isIn(here), await isIn(there)], [true, false]);
  assert.equal((await there.signIn()).status, 401);
  assert.equal((await there.signIn(form.password)).status, 303);
});

Deno.test("who borrows a browser does not guess the password there", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const form = { current: "wrong", password: "a third long password", again: "a third long password" };
  for (let n = 0; n < 5; n++) assert.equal((await admin.post("/web/account/password", form)).status, 400);
  const answer = await admin.post("/web/account/password", { ...form, current: ADMIN.password });
  assert.match(answer.text, /Too many attempts/);
  assert.equal((await new Visitor(server.url).signIn()).status, 303, "it is still the old one");
});

Deno.test("sessions are listed, and end one by one or all together", async () => {
  await using server = await startApp();
  const here = await setUp(server);
  const there = new Visitor(server.url, {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  });
  await there.signIn();
  const elsewhere = new Visitor(server.url);
  await elsewhere.signIn();
  const { text } = await here.get("/web/account");
  assert.match(text, /Firefox on Linux/);
  const ids = [...text.matchAll(/name="id" value="(\d+)"/g)].map(([, id]) => id!);
  assert.deepEqual(ids.toSorted(), ["2", "3"], "the others, not this one");
  assert.equal((await here.post("/web/account/sessions/end", { id: "2" })).status, 303);
  assert.deepEqual([await isIn(here), await isIn(there), await isIn(elsewhere)], [true, false, true]);

  const bob = await addBob(server, here);
  await bob.post("/web/account/sessions/end", { id: "1" });
  assert.ok(await isIn(here), "nobody ends another's");
  const out = await elsewhere.post("/web/account/sessions/end-all", {});
  assert.equal(out.headers.get("location"), "/web/sign-in");
  assert.deepEqual([await isIn(here), await isIn(elsewhere), await isIn(bob)], [false, false, true]);
});

Deno.test("with a second factor, a password is not enough, and no code counts twice", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const page = await admin.get("/web/account/second-factor");
  assert.match(page.text, /<svg class="qr"/);
  const nonce = /name="nonce" value="([^"]+)"/.exec(page.text)![1]!;
  const secret = fromBase32(/<pre id="key"><code>([A-Z2-7 ]+)</.exec(page.text)![1]!.replaceAll(" ", ""));
  // One step after the other, as each counts once; the server takes the one after its own, too.
  const step = totpStep(Date.now());
  const code = (n: number) => totpCode(secret, step + n);

  const on = { nonce, code: code(0), password: ADMIN.password };
  assert.equal((await admin.post("/web/account/second-factor", { ...on, password: "wrong" })).status, 400);
  const wrongCode = String((Number(code(0)) + 1) % 1_000_000).padStart(6, "0");
  if (matchingStep(secret, wrongCode, Date.now()) === undefined) {
    const { status, text } = await admin.post("/web/account/second-factor", { ...on, code: wrongCode });
    assert.equal(status, 400);
    assert.ok(text.includes(nonce), "the same key again, which the app has already");
  }
  const enabled = await admin.submit("/web/account/second-factor", on);
  assert.equal(enabled.status, 200, enabled.text);
  const codes = /<pre id="recovery-codes"><code>([^<]+)</.exec(enabled.text)![1]!.split("\n");
  assert.equal(codes.length, 10);

  const visitor = new Visitor(server.url);
  const half = await visitor.signIn();
  assert.deepEqual([half.status, visitor.cookies.size, await isIn(visitor)], [200, 0, false]);
  const pending = /name="pending" value="([^"]+)"/.exec(half.text)![1]!;
  const second = (code: string, who = visitor) => who.post("/web/sign-in/code", { pending, code });
  assert.equal((await second(code(0))).status, 401, "it was used to switch it on");
  assert.equal((await second("")).status, 401);
  assert.equal((await second(code(1).replace(/^.../, "$& "))).status, 303);
  assert.ok(await isIn(visitor));
  assert.equal((await second(code(1))).status, 401, "the password step is used up");

  const again = async (code: string) => {
    const visitor = new Visitor(server.url);
    const pending = /name="pending" value="([^"]+)"/.exec((await visitor.signIn()).text)![1]!;
    return (await visitor.post("/web/sign-in/code", { pending, code })).status;
  };
  assert.equal(await again(code(1)), 401);
  assert.equal(await again(codes[3]!.toUpperCase()), 303);
  assert.equal(await again(codes[3]!), 401);
  assert.match((await admin.get("/web/account/second-factor")).text, /9 unused recovery codes/);

  const remove = (password: string) => admin.post("/web/account/second-factor/remove", { password });
  assert.equal((await remove("wrong")).status, 400);
  assert.equal((await remove(ADMIN.password)).status, 303);
  assert.equal((await new Visitor(server.url).signIn()).status, 303);
});

Deno.test("while a second factor is required, a user without one can set one up and do nothing else", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const bob = await addBob(server, admin);
  const path = "/web/account/second-factor";
  await set(server, { "admin.require-second-factor": true });
  for (const here of ["/web", "/web/secrets", "/web/account", "/web/users", "/web/settings"]) {
    const { status, headers } = await admin.get(here);
    assert.deepEqual([status, headers.get("location")], [303, path], here);
  }
  for (const here of ["/web/settings", "/web/users", `${path}/codes`, "/web/account/sessions/end-all"]) {
    assert.equal((await admin.post(here, { name: "x" })).status, 403, here);
  }
  for (const method of ["GET", "PUT"]) {
    const refused = await admin.request(method, "/api/settings");
    assert.deepEqual([refused.status, JSON.parse(refused.text).code], [403, "SecondFactorRequired"]);
  }
  // A key is not a user.
  assert.equal((await server.api("GET", "/api/settings")).status, 200);

  const page = await admin.get(path);
  assert.match(page.text, /All users of this server need a second factor/);
  const nonce = /name="nonce" value="([^"]+)"/.exec(page.text)![1]!;
  const secret = fromBase32(/<pre id="key"><code>([A-Z2-7 ]+)</.exec(page.text)![1]!.replaceAll(" ", ""));
  const code = totpCode(secret, totpStep(Date.now()));
  const codes = await admin.submit(path, { nonce, code, password: ADMIN.password });
  assert.equal(codes.status, 200, codes.text);
  const file = await admin.get(/href="([^"]*recovery-codes\/file[^"]*)"/.exec(codes.text)![1]!);
  assert.match(
    file.headers.get("content-disposition")!,
    /^attachment; filename="crude-functions-recovery-codes\.txt"$/,
  );
  assert.match(file.headers.get("cache-control")!, /no-store/);
  for (const one of /<pre id="recovery-codes"><code>([^<]+)</.exec(codes.text)![1]!.split("\n")) {
    assert.ok(file.text.includes(one));
  }
  assert.equal((await admin.get("/web/secrets")).status, 200);
  assert.ok(await isIn(admin));
  assert.ok(!await isIn(bob));
  assert.match((await admin.get("/web/users")).text, /1 user signs in with a password only/);
  await set(server, { "admin.require-second-factor": false });
  assert.ok(await isIn(bob));
});

Deno.test("the list says who is invited and until when, and a user's page ends their sessions", async () => {
  let now = Date.now();
  await using server = await startApp({ now: () => now });
  const admin = await setUp(server);
  await admin.submit("/web/users", { name: BOB.name, email: BOB.email });
  assert.match((await admin.get("/web/users")).text, /invited<\/span>.*the link expires/s);
  now += 24 * 3_600_000;
  await admin.signIn();
  assert.match((await admin.get("/web/users")).text, /invited<\/span>.*the link has expired/s);
  const token = linkIn(await admin.submit("/web/users/2/reset", {}));
  const bob = new Visitor(server.url);
  await bob.post("/web/password", { token, password: BOB.password, again: BOB.password });
  const elsewhere = new Visitor(server.url);
  await elsewhere.signIn(BOB.password, BOB.email);
  const page = (await admin.get("/web/users/2")).text;
  const ids = [...page.matchAll(/name="id" value="(\d+)"/g)].map(([, id]) => id!);
  assert.equal(ids.length, 2);
  await admin.submit("/web/users/2/sessions/end", { id: ids[0]! });
  assert.deepEqual([await isIn(elsewhere), await isIn(bob)].filter(Boolean).length, 1);
  await admin.submit("/web/users/2/sign-out", {});
  assert.deepEqual([await isIn(elsewhere), await isIn(bob), await isIn(admin)], [false, false, true]);
});

Deno.test("five wrong codes make the next ones wait", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const page = await admin.get("/web/account/second-factor");
  const nonce = /name="nonce" value="([^"]+)"/.exec(page.text)![1]!;
  const secret = fromBase32(/<pre id="key"><code>([A-Z2-7 ]+)</.exec(page.text)![1]!.replaceAll(" ", ""));
  const code = totpCode(secret, totpStep(Date.now()));
  await admin.post("/web/account/second-factor", { nonce, code, password: ADMIN.password });
  const guess = async (code: string) => {
    const visitor = new Visitor(server.url);
    const pending = /name="pending" value="([^"]+)"/.exec((await visitor.signIn()).text)![1]!;
    return await visitor.post("/web/sign-in/code", { pending, code });
  };
  for (let n = 0; n < 5; n++) assert.equal((await guess("abcdef")).status, 401);
  const slowed = await guess("abcdef");
  assert.deepEqual([slowed.status, Number(slowed.headers.get("retry-after")) > 0], [429, true]);
});

Deno.test("`admin reset` lets a user in who has lost the password and the phone, beside a running server", async () => {
  await using home = makeHome();
  await using server = await home.start();
  const admin = await setUp(server);
  const page = await admin.get("/web/account/second-factor");
  const nonce = /name="nonce" value="([^"]+)"/.exec(page.text)![1]!;
  const secret = fromBase32(/<pre id="key"><code>([A-Z2-7 ]+)</.exec(page.text)![1]!.replaceAll(" ", ""));
  const code = totpCode(secret, totpStep(Date.now()));
  await admin.post("/web/account/second-factor", { nonce, code, password: ADMIN.password });

  const env = { PORT: new URL(server.url).port };
  const unknown = await home.cli(["admin", "reset", "eve@example.com"], env);
  assert.deepEqual([unknown.code, /eve@example\.com\. There are: ada@example\.com/.test(unknown.stderr)], [1, true]);
  const { code: exit, stdout } = await home.cli(["admin", "reset", " ADA@example.com", "--remove-second-factor"], env);
  assert.equal(exit, 0);
  assert.ok(stdout.startsWith(`${server.url}/web/password?token=`), stdout);
  const token = new URL(stdout.trim()).searchParams.get("token")!;
  const visitor = new Visitor(server.url);
  const passwords = { password: "a third long password", again: "a third long password" };
  assert.equal((await visitor.post("/web/password", { token, ...passwords })).status, 303);
  assert.deepEqual([await isIn(visitor), await isIn(admin)], [true, false]);
});
