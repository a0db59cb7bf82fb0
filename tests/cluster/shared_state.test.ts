// What requests leave for later ones that another node answers: attempts, second factors, codes of terminals, values that
// are shown once, over a real PostgreSQL.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createSharedState, pruneSharedState } from "../../src/cluster/postgres/shared_state.ts";
import { createAdmins } from "../../src/core/admins/admins.ts";
import type { Visitor } from "../../src/core/admins/sign_in.ts";
import { createLocalState } from "../../src/core/admins/local_state.ts";
import { SlowDown } from "../../src/errors.ts";
import type { SharedState } from "../../src/shared_state.ts";
import { temporaryStore } from "../unit/temporary.ts";
import { openTestPostgres, testKeyring } from "./opened.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

async function openState(there: TestPostgres) {
  const postgres = await openTestPostgres(there.url);
  const keyring = testKeyring();
  const state = createSharedState({
    postgres,
    cluster: "c",
    attemptsKey: keyring.derive("cluster attempts"),
    handoversKey: keyring.derive("cluster handovers"),
    setupToken: "the same on each node",
  });
  return { state, postgres, [Symbol.asyncDispose]: () => postgres.close() };
}

const LIMIT = { free: 3, firstWaitMs: 60_000, longestWaitMs: 60_000 };

/** What holds in memory and in PostgreSQL; `a` and `b` are of two nodes, or the same. */
async function holds(a: SharedState, b: SharedState): Promise<void> {
  const [one, other] = [a.handovers("k", 10), b.handovers("k", 10)];
  await one.put("x", "value of x", 60_000);
  assert.equal(await other.find("x"), "value of x");
  assert.equal(await b.handovers("of another kind", 10).find("x"), undefined);
  await other.put("x", "replaced", 60_000);
  assert.equal(await one.find("x"), "replaced");
  assert.deepEqual((await Promise.all([one.take("x"), other.take("x")])).sort(), ["replaced", undefined]);
  assert.equal(await one.find("x"), undefined);
  const claims = await Promise.all([one, other, one, other].map((some, n) => some.claim("y", `${n}`, 60_000)));
  assert.equal(claims.filter(Boolean).length, 1);
  assert.equal(await one.find("y"), String(claims.indexOf(true)));
  await one.put("z", "old", 0);
  assert.equal(await other.find("z"), undefined);
  assert.equal(await other.claim("z", "new", 60_000), true);
  assert.equal(await one.take("z"), "new");
  // Attempts count wherever they are made, at the same time, too.
  const counted = { bucket: "a bucket", limit: LIMIT };
  const outcomes = await Promise.allSettled([a, b, a, b, a].map(({ throttle }) => throttle.begin([counted])));
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 3);
  await assert.rejects(b.throttle.begin([counted]), SlowDown);
  assert.equal(await a.throttle.isBlocked("a bucket"), true);
  await a.throttle.takeBack(counted);
  assert.equal(await b.throttle.isBlocked("a bucket"), false);
  await b.throttle.clear("a bucket");
  for (let n = 0; n < 3; n++) await a.throttle.begin([counted]);
  await assert.rejects(a.throttle.begin([counted, { bucket: "not counted", limit: LIMIT }]), SlowDown);
  assert.equal(await b.throttle.isBlocked("not counted"), false);
}

Deno.test("in memory and in PostgreSQL, the same holds for what requests leave for later ones", async () => {
  const local = createLocalState(Date.now);
  await holds(local, local);
  local.close();
  await using postgres = await startPostgres();
  await using a = await openState(postgres);
  await using b = await openState(postgres);
  await holds(a.state, b.state);
  const rows = await postgres.query<Record<string, string>>("SELECT * FROM crude_functions.handovers");
  await a.state.handovers("k", 10).put("visible", "a value", 60_000);
  const text = JSON.stringify([...rows, ...await postgres.query("SELECT * FROM crude_functions.attempts")]);
  assert.ok(!text.includes("a value") && !text.includes('bucket":"a'), text);
  // A value that was moved to another key is none.
  await postgres.query("UPDATE crude_functions.handovers SET key = 'elsewhere' WHERE key = 'visible'");
  assert.equal(await b.state.handovers("k", 10).find("elsewhere"), undefined);
  await postgres.query("UPDATE crude_functions.handovers SET until = now() - interval '1 minute'");
  await postgres.query("UPDATE crude_functions.attempts SET last_at = now() - interval '2 days'");
  await pruneSharedState(a.postgres);
  const left = await postgres.query(
    "SELECT 1 FROM crude_functions.handovers UNION ALL SELECT 1 FROM crude_functions.attempts",
  );
  assert.deepEqual(left, []);
});

Deno.test("each step of a sign-in can be answered by another node, once", async () => {
  await using postgres = await startPostgres();
  await using a = await openState(postgres);
  await using b = await openState(postgres);
  // Both have the same rows, as two replicas.
  using there = temporaryStore();
  const nodeWith = (shared: SharedState) =>
    createAdmins({
      store: there.store,
      keyring: there.keyring,
      limits: { idleMs: () => 1_000_000, longestMs: () => 5_000_000 },
      now: Date.now,
      record: () => {},
      shared,
    });
  const [first, second] = [nodeWith(a.state), nodeWith(b.state)];
  const visitor: Visitor = {
    actor: { kind: "visitor", address: "192.0.2.1" },
    userAgent: "",
    device: undefined,
  } as Visitor;
  // The set-up link of any node is good on all, until there is a user.
  const token = first.accounts.openSetup()!;
  assert.equal(second.accounts.openSetup(), token);
  const wanted = { email: "ada@example.com", name: "Ada", password: "a long enough password" };
  const actor = { kind: "server", id: null, name: "", refusal: () => undefined } as never;
  const { id } = await second.accounts.setUp(actor, token, wanted, { address: "", userAgent: "" });
  assert.equal(first.accounts.mayBeSetUp(token), false);
  const row = () => first.accounts.get(id);
  // A terminal's code, made by one node, is exchanged by the other, once.
  const verifier = "v".repeat(43);
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  const code = await first.terminal.approve(row(), challenge);
  assert.equal((await second.terminal.exchange(visitor, code, verifier)).admin.id, id);
  await assert.rejects(first.terminal.exchange(visitor, code, verifier), /used before/);
  // A pending second factor of one node is completed by the other, once.
  await there.store.commit(() => there.store.admins.setTotpNonce(id, Buffer.alloc(16), 0));
  const entered = await first.signIn.withPassword(visitor, wanted.email, wanted.password);
  assert.ok("pending" in entered);
  await assert.rejects(second.signIn.withCode(visitor, entered.pending, "wrong"), /wrong or was already used/);
  await there.store.commit(() => there.store.admins.setTotpNonce(id, null, 0));
  assert.equal((await second.signIn.withCode(visitor, entered.pending, "000000")).admin.id, id);
  await assert.rejects(first.signIn.withCode(visitor, entered.pending, "000000"), /took too long/);
  // Guesses count together.
  const guess = (node: typeof first) => node.signIn.withPassword(visitor, wanted.email, "a wrong password, guessed");
  for (let n = 0; n < 5; n++) await assert.rejects(guess(n % 2 ? first : second), /is wrong/);
  await assert.rejects(guess(first), SlowDown);
  await assert.rejects(guess(second), SlowDown);
});
