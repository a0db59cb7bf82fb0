// What announcements decide on their own: when a delivery is tried again and given up, and what is news.

import assert from "node:assert/strict";
import { type AuditEvent, SERVER } from "../../src/actor.ts";
import { Announcer } from "../../src/core/announcements/announcer.ts";
import { auditAnnouncement } from "../../src/core/announcements/audited.ts";
import { type Check, createChecks } from "../../src/core/announcements/checks.ts";
import { Deliveries } from "../../src/core/announcements/deliveries.ts";
import { TYPES } from "../../src/core/announcements/events.ts";
import { mailText } from "../../src/core/announcements/mail/text.ts";
import { subscribersIn } from "../../src/core/announcements/subscribers.ts";
import { createWebhookChannel } from "../../src/core/announcements/webhook_channel.ts";
import { urlProblem } from "../../src/core/announcements/webhooks.ts";
import type { FunctionId, KeyId, WebhookId } from "../../src/ids.ts";
import { webhookAad } from "../../src/keyring/aad.ts";
import { newWebhookSecret } from "../../src/keyring/webhook_secret.ts";
import { ALONE } from "../../src/once_per_cluster.ts";
import { createHealth } from "../../src/sandbox/host/health.ts";
import type { AuditFilter, AuditRow } from "../../src/store/audit.ts";
import { DAY_MS, HOUR_MS } from "../../src/time.ts";
import { temporaryStore } from "./temporary.ts";

Deno.test("a delivery is tried again with growing pauses for a day, then given up and recorded", async () => {
  using there = temporaryStore();
  const { store, keyring } = there;
  let arrived = Promise.withResolvers<void>();
  const ids: string[] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    await request.body?.cancel();
    ids.push(request.headers.get("webhook-id")!);
    return new Response("a secret of the receiver", { status: 503 });
  });
  const host = `127.0.0.1:${server.addr.port}`;
  let now = Date.parse("2026-01-31T12:00:00Z");
  const began = now;
  const events: AuditEvent[] = [];
  const gaveUp = Promise.withResolvers<void>();
  const deliveries = new Deliveries({
    store,
    channels: [createWebhookChannel({ store, keyring, now: () => now, httpHosts: () => [host] })],
    once: ALONE,
    recordAlone: (actor, event) => {
      assert.equal(actor, SERVER);
      events.push(event);
      gaveUp.resolve();
      return Promise.resolve();
    },
    now: () => now,
    warn: (message) => assert.fail(message),
  });
  store.onApplied((rows) => {
    if (rows.some(({ table, kind }) => table === "deliveries" && kind === "update")) arrived.resolve();
  });
  const id = await store.commit(() => {
    const row = { url: `http://${host}/`, events: ["secret.due"], createdAt: 1, updatedAt: 1 };
    const id = store.webhooks.insert(row);
    store.webhooks.setCiphertext(id, keyring.seal(newWebhookSecret().reveal(), webhookAad(id)));
    deliveries.enqueue(subscribersIn(store), "secret.due", "{}");
    return id;
  });
  const tried: number[] = [];
  for (;;) {
    deliveries.start();
    await arrived.promise;
    arrived = Promise.withResolvers();
    tried.push(now - began);
    const next = store.deliveries.nextAfter(now);
    if (next === undefined) break;
    assert.ok(next > now);
    now = next;
  }
  await gaveUp.promise;
  await deliveries.stop();
  assert.equal(tried.length, 9);
  assert.ok(tried.at(-1)! > 0.95 * DAY_MS && tried.at(-1)! < 1.05 * DAY_MS, String(tried.at(-1)));
  assert.deepEqual(tried, tried.toSorted((a, b) => a - b));
  assert.equal(new Set(ids).size, 1);
  const [row] = store.deliveries.list({ channel: "webhook", receiverId: id }, 10);
  assert.deepEqual([row!.attempts, row!.nextAt, row!.status], [9, null, 503]);
  assert.deepEqual(events.map(({ action, subject: { name } }) => [action, name]), [["webhook.failed", host]]);
  assert.ok(!JSON.stringify([row, events]).includes("a secret of"));
});

Deno.test("the deliveries of a webhook are bounded, those of one webhook do not hold up another's, and go with it", async () => {
  using there = temporaryStore();
  const { store, keyring } = there;
  const noFailure = (message: string) => assert.fail(message);
  const deliveries = new Deliveries({
    store,
    channels: [createWebhookChannel({ store, keyring, now: () => 1_000, httpHosts: () => [] })],
    once: { ...ALONE, leads: false },
    recordAlone: () => Promise.resolve(),
    now: () => 1_000,
    warn: noFailure,
  });
  const [one, other] = await store.commit(() => {
    const row = { events: ["secret.due"], createdAt: 1, updatedAt: 1 };
    const ids = ["https://one.example", "https://other.example"].map((url) => store.webhooks.insert({ ...row, url }));
    const [busy, quiet] = subscribersIn(store).map((one) => [one]);
    for (let n = 0; n < 1_100; n++) deliveries.enqueue(busy!, "secret.due", String(n));
    deliveries.enqueue(quiet!, "secret.due", "late");
    return ids;
  });
  assert.equal(store.deliveries.list({ channel: "webhook", receiverId: one! }, 2_000).length, 1_000);
  assert.deepEqual(store.deliveries.due("webhook", 1_000, 4).map(({ body }) => body), [
    "100",
    "101",
    "102",
    "103",
    "late",
  ]);
  await store.commit(() => store.deliveries.deleteOf({ channel: "webhook", receiverId: one! }));
  assert.deepEqual(store.deliveries.due("webhook", 1_000, 4).map(({ receiverId }) => receiverId), [other]);
  await deliveries.stop();
});

Deno.test("a node that takes over announces what was not announced, and nothing twice", async () => {
  using there = temporaryStore();
  const { store } = there;
  let now = 1_000 * DAY_MS;
  const bodies: string[] = [];
  const nodeOf = (leads: boolean) => {
    const once = { ...ALONE, leads };
    const announcer = new Announcer({
      store,
      once,
      subscribers: () => subscribersIn(store),
      deliveries: {
        enqueue: (ids, type, body) => ids.forEach(() => bodies.push(`${type} ${JSON.parse(body).data.how}`)),
      },
      now: () => now,
      check: () => [],
      warn: (message) => assert.fail(message),
    });
    announcer.start();
    return { once, announcer };
  };
  const canary = (how: string) =>
    store.commit(() => {
      const about = { subjectKind: "secret", subjectId: "1", subjectName: "BAIT", before: null, mac: "" };
      const actor = { actorKind: "server", actorId: null, actorName: null, actorGroup: null };
      const id = store.audit.lastId() + 1;
      const after = JSON.stringify({ how });
      store.audit.add({
        id,
        at: now,
        ...actor,
        address: null,
        requestId: null,
        action: "secret.canary",
        ...about,
        after,
      });
    });
  await store.commit(() =>
    store.webhooks.insert({ url: "https://a.example", events: ["secret.canary"], createdAt: 1, updatedAt: 1 })
  );
  const first = nodeOf(true);
  const second = nodeOf(false);
  await canary("read");
  await canary("sent");
  now += HOUR_MS / 2;
  await canary("read");
  await first.announcer.stop();
  assert.deepEqual(bodies, ["secret.canary read", "secret.canary sent"]);

  now += 2 * DAY_MS;
  await canary("revealed");
  assert.equal(bodies.length, 2);
  second.once.leads = true;
  await canary("read");
  await second.announcer.stop();
  assert.deepEqual(bodies.slice(2), ["secret.canary revealed", "secret.canary read"]);
  const third = nodeOf(true);
  await third.announcer.stop();
  const fourth = nodeOf(true);
  await canary("sent");
  await fourth.announcer.stop();
  assert.deepEqual(bodies.slice(4), ["secret.canary sent"]);
});

Deno.test("a sign-in is from a new place if no earlier one of the user was from its network", () => {
  const rows: AuditRow[] = [];
  const page = (filter: AuditFilter, before: number, limit: number) => {
    assert.deepEqual(filter, { action: "sign-in.succeeded", subject: { kind: "admin", id: "1" } });
    return rows.filter(({ id }) => id < before).slice(-limit);
  };
  const isNew = (address: string | null) => {
    const row = {
      id: rows.length + 1,
      at: 5,
      actorKind: "admin",
      actorId: "1",
      actorName: "ada@example.com",
      actorGroup: null,
      address,
      requestId: null,
      action: "sign-in.succeeded",
      subjectKind: "admin",
      subjectId: "1",
      subjectName: "ada@example.com",
      before: null,
      after: null,
      mac: "",
    };
    rows.push(row);
    const found = auditAnnouncement(row, page);
    if (found && "data" in found) assert.deepEqual(found.data, { userId: 1, email: "ada@example.com", address });
    return found !== undefined;
  };
  const expected: [address: string | null, isNew: boolean][] = [
    ["192.0.2.1", false],
    ["192.0.2.200", false],
    ["192.0.3.1", true],
    ["::ffff:192.0.3.9", false],
    ["2001:db8:1:2::7", true],
    ["2001:db8:1:ffff:1:2:3:4", false],
    ["2001:db8:2::1", true],
    ["::1", true],
    ["0:0:0:0:0:0:0:1", false],
    [null, false],
    ["192.0.2.77", false],
  ];
  for (const [address, is] of expected) assert.equal(isNew(address), is, String(address));
});

Deno.test("unused keys and old backups are announced once for each time, and not at 0 days", () => {
  using there = temporaryStore();
  const now = 100 * DAY_MS;
  const key = { id: 1 as KeyId, name: "acme", groupName: "staging" };
  const found = (days: number) => {
    const keys = [
      { ...key, createdAt: 1, lastUsedAt: null },
      { ...key, createdAt: 1, lastUsedAt: now - 91 * DAY_MS },
      { ...key, createdAt: 1, lastUsedAt: now - 89 * DAY_MS },
      { ...key, createdAt: now, lastUsedAt: null },
    ];
    const check = createChecks({
      store: there.store,
      failing: () => [],
      keys: () => keys,
      now: () => now,
      knowsBackups: true,
      unusedKeyDays: () => days,
      expiringKeyDays: () => days,
      oldBackupDays: () => days,
    });
    assert.deepEqual([...check(["secret.due"])], []);
    return [...check(TYPES)].map((one) => "type" in one ? [one.type, one.topic] : []);
  };
  assert.deepEqual(found(90), [["key.unused", "unused 1 1"], ["key.unused", `unused 1 ${9 * DAY_MS}`]]);
  assert.deepEqual(found(0), []);
});

Deno.test("a key is announced before it expires, once for each expiry, unless it was made for a shorter time", () => {
  using there = temporaryStore();
  let now = 100 * DAY_MS;
  let days = 14;
  const { access } = there.store;
  const groupId = access.insertGroup({ name: "staging", description: "", now });
  const add = (name: string, expiresAt: number | null) =>
    access.insertKey({
      groupId,
      name,
      description: "",
      lookup: there.keyring.lookup(name),
      ciphertext: "",
      expiresAt,
      now,
    });
  add("never", null);
  add("job", now + 13 * DAY_MS);
  const id = add("acme", now + 30 * DAY_MS);
  const check = createChecks({
    store: there.store,
    failing: () => [],
    keys: () => [],
    now: () => now,
    knowsBackups: false,
    unusedKeyDays: () => 0,
    expiringKeyDays: () => days,
    oldBackupDays: () => 0,
  });
  const found = () => [...check(["key.expiring"])].map((one) => "topic" in one ? [one.topic, one.data.keyName] : []);
  const expiry = now + 30 * DAY_MS;
  assert.deepEqual(found(), []);
  now = expiry - 14 * DAY_MS;
  assert.deepEqual(found(), []);
  now++;
  assert.deepEqual(found(), [[`expiring ${id} ${expiry}`, "staging/acme"]]);
  access.setExpiry(id, expiry + DAY_MS);
  assert.deepEqual(found(), []);
  days = 30;
  assert.deepEqual(found(), [[`expiring ${id} ${expiry + DAY_MS}`, "staging/acme"]]);
  days = 0;
  assert.deepEqual(found(), []);
  days = 30;
  now = expiry + DAY_MS;
  assert.deepEqual(found(), []);
});

/** An announcer at a time of its own, over a store with a webhook that wants everything. */
async function announcing(check: Check = () => []) {
  const there = temporaryStore();
  const { store } = there;
  const state = { now: 1_000 * DAY_MS };
  // deno-lint-ignore no-explicit-any
  const announced: { type: string; data: any }[] = [];
  const row = { url: "https://a.example", events: TYPES, createdAt: 1, updatedAt: 1 };
  await store.commit(() => store.webhooks.insert(row));
  const announcerOf = (looked: () => void) =>
    new Announcer({
      store,
      subscribers: () => subscribersIn(store),
      once: ALONE,
      deliveries: { enqueue: (_, type, body) => void announced.push({ type, data: JSON.parse(body).data }) },
      now: () => state.now,
      check: (wanted) => {
        looked();
        return check(wanted);
      },
      warn: (message) => assert.fail(message),
    });
  return {
    store,
    state,
    announced,
    /** Lets a new announcer look once, as after a restart. */
    async look() {
      await using looked = { ...Promise.withResolvers<void>(), [Symbol.asyncDispose]: () => announcer.stop() };
      const announcer = announcerOf(looked.resolve);
      announcer.start();
      await looked.promise;
    },
    audit: (action: string, subjectId: string | null, after: Record<string, unknown>) =>
      store.commit(() =>
        store.audit.add({
          id: store.audit.lastId() + 1,
          at: state.now,
          actorKind: "server",
          actorId: null,
          actorName: null,
          actorGroup: null,
          address: null,
          requestId: null,
          action,
          subjectKind: "x",
          subjectId,
          subjectName: "x",
          before: null,
          after: JSON.stringify(after),
          mac: "",
        })
      ),
    [Symbol.dispose]: () => there[Symbol.dispose](),
  };
}

Deno.test("a rotation that keeps failing is announced once a day, and again once one had ended well", async () => {
  using there = await announcing();
  const { state, announced, audit, look } = there;
  const fail = async () => {
    state.now += 5_000;
    await audit("rotation.failed", null, { why: "no space" });
    await look();
  };
  for (let n = 0; n < 20; n++) await fail();
  assert.deepEqual(announced.map(({ type }) => type), ["rotation.failed"]);
  state.now += DAY_MS;
  await fail();
  await fail();
  assert.equal(announced.length, 2);
  await audit("rotation.finished", null, {});
  await fail();
  assert.equal(announced.length, 3);
  // A server that stops continues the rotation at its next start.
  await audit("rotation.finished", null, {});
  await audit("rotation.failed", null, { why: "The server is stopping.", stopped: true });
  await look();
  assert.equal(announced.length, 3);
});

Deno.test("a function that keeps failing is announced once a day, and again once it had recovered", async () => {
  let failing = true;
  const functionId = 7 as FunctionId;
  // deno-lint-ignore prefer-const
  let there: Awaited<ReturnType<typeof announcing>>;
  const check: Check = (wanted) =>
    createChecks({
      store: { ...there.store, functions: { ...there.store.functions, find: () => ({ name: "orders" }) as never } },
      failing: () => failing ? [{ functionId, calls: 9, failures: 8 }] : [],
      keys: () => [],
      now: () => there.state.now,
      knowsBackups: false,
      unusedKeyDays: () => 0,
      expiringKeyDays: () => 0,
      oldBackupDays: () => 1,
    })(wanted);
  there = await announcing(check);
  using _ = there;
  const { state, announced, look } = there;
  for (let hour = 0; hour < 30; hour++) {
    await look();
    state.now += HOUR_MS;
  }
  assert.deepEqual(announced.map(({ type, data }) => [type, data.functionName]), [
    ["function.failing", "orders"],
    ["function.failing", "orders"],
  ]);
  failing = false;
  await look();
  failing = true;
  state.now += 1;
  await look();
  await look();
  assert.equal(announced.length, 3);
  // Not more often than once an hour, however it changes.
  for (let n = 0; n < 10; n++) {
    failing = !failing;
    await look();
  }
  assert.equal(announced.length, 3);
});

Deno.test("more leaks and canaries than the audit distinguishes are announced together", async () => {
  using there = await announcing();
  const { announced, audit, look, state } = there;
  for (const action of ["secret.canary", "response.leaked"]) {
    await audit(action, "1", { how: "read", secrets: ["A"] });
    await audit(action, null, { from: "several others", repeated: 12 });
    await audit(action, null, { from: "several others", repeated: 3 });
    // Of one that was announced.
    await audit(action, "1", { how: "read", secrets: ["A"], repeated: 5 });
    await audit(action, null, { how: "read", secrets: ["A"], repeated: 5, ids: [1, 2] });
  }
  await look();
  assert.deepEqual(announced.map(({ type, data }) => [type, data.count]), [
    ["secret.canary", undefined],
    ["secret.canary", 12],
    ["secret.leaked", undefined],
    ["secret.leaked", 12],
  ]);
  for (const { type, data } of announced) {
    const body = JSON.stringify({ timestamp: new Date(state.now).toISOString(), data });
    const { text } = mailText({ messages: [{ type, body }], publicUrl: "https://a.example", recipientsId: 1 });
    assert.doesNotMatch(text, /null/);
  }
});

Deno.test("an event that is added later does not bring what happened before, also after a restart", async () => {
  using there = await announcing();
  const { store, announced, audit, look, state } = there;
  await store.commit(() =>
    store.webhooks.update(1 as WebhookId, { url: "https://a.example", events: ["backup.old"], updatedAt: 2 })
  );
  await audit("response.leaked", "1", { secrets: ["A"] });
  await look();
  state.now += 1;
  await store.commit(() =>
    store.webhooks.update(1 as WebhookId, { url: "https://a.example", events: TYPES, updatedAt: state.now })
  );
  await look();
  assert.deepEqual(announced, []);
  await audit("response.leaked", "1", { secrets: ["A"] });
  await look();
  await look();
  assert.equal(announced.length, 1);
});

Deno.test("a suspension is told to those who listen, with its end", () => {
  let now = 1_000_000;
  const health = createHealth(() => now);
  const told: [number, number][] = [];
  health.onSuspended((id, until) => told.push([id, until]));
  for (let n = 0; n < 4; n++) health.died(7, "x");
  assert.deepEqual(told, []);
  health.died(7, "x");
  assert.deepEqual(told, [[7, now + 10_000]]);
  now += 1;
});

Deno.test("addresses of webhooks are https:, or on a named host with or without its port", () => {
  assert.equal(urlProblem("https://hooks.example.com/a?token=b", []), undefined);
  assert.equal(urlProblem("http://10.0.0.1:8080/", ["10.0.0.1:8080"]), undefined);
  assert.equal(urlProblem("http://10.0.0.1:8080/", ["10.0.0.1"]), undefined);
  assert.match(urlProblem("http://10.0.0.1:8081/", ["10.0.0.1:8080"])!, /https:/);
  assert.match(urlProblem("http://evil.10.0.0.1.example/", ["10.0.0.1"])!, /https:/);
  assert.match(urlProblem("file:///etc/passwd", [""])!, /https:/);
  assert.match(urlProblem("https://a@b.example/", [])!, /credentials/);
});
