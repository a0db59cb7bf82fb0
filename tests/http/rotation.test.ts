// Rotation of a real server: on-line, one at a time, reported, resumed, and not broken by a full disk.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fill, withFolder } from "./filled.ts";
import { setUp } from "./admin.ts";
import { createGroup, createKey, deploy, run, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";

const PATH = "/api/encryption-keys/rotation";
const SECRETS = 4_000;

/** Asserts that every one of the secrets that `fill` made is what it was, or what `changed` says by number. */
async function assertValues(server: Server, secrets: number, changed = new Map<number, string>()): Promise<void> {
  let seen = 0;
  for (let cursor = ""; cursor !== "null";) {
    const { body } = await server.api("GET", `/api/secrets?includeValues=true${cursor && `&cursor=${cursor}`}`);
    for (const { name, value, decryptionError } of body.secrets) {
      if (!/^S\d+$/.test(name)) continue;
      const n = Number(name.slice(1));
      assert.equal(decryptionError, null, name);
      assert.equal(value, changed.get(n) ?? `value ${n}`, name);
      seen++;
    }
    cursor = String(body.next);
  }
  assert.equal(seen, secrets);
}

Deno.test("a rotation serves readers and writers meanwhile, tells its progress and refuses a second one", () =>
  withFolder(async (folder) => {
    fill(folder, SECRETS);
    await using server = await startApp({ folder });
    const settings = { "encryption.key-rotation.batch-size": 200 };
    assert.equal((await server.api("PUT", "/api/settings", { settings })).status, 200);
    const groupId = await createGroup(server, "team");
    const { value: key } = await createKey(server, groupId, "key");
    const code = `export default async (c, ctx) => c.text(await ctx.getSecret(c.req.query("name")) ?? "none");`;
    await deploy(server, "read", code, { keys: [groupId] });
    assert.equal((await run(server, "/read?name=S1", key)).body, "value 1");

    let done = false;
    const rotation = server.api("POST", PATH).finally(() => done = true);
    const changed = new Map<number, string>();
    const seen: { done: number; total: number }[] = [];
    let refused = 0;
    const reader = async () => {
      for (let n = 0; !done; n = (n + 37) % SECRETS) {
        if (changed.has(n)) continue;
        const { status, body } = await run(server, `/read?name=S${n}`, key);
        // A writer may have come between.
        if (!changed.has(n)) assert.deepEqual([status, body], [200, `value ${n}`]);
      }
    };
    const writer = async () => {
      for (let n = SECRETS - 1; !done; n = (n - 13 + SECRETS) % SECRETS) {
        changed.set(n, `new ${n}`);
        assert.equal((await server.api("PUT", `/api/secrets/${n + 1}`, { value: `new ${n}` })).status, 200);
      }
    };
    const watcher = async () => {
      while (!done) {
        const { body } = await server.api("GET", PATH);
        if (body.progress) seen.push(body.progress);
        assert.equal(body.isInProgress, body.progress !== null);
        const second = await server.api("POST", PATH);
        if (done && second.status === 200) break;
        assert.deepEqual([second.status, second.body.code], [409, "RotationInProgress"]);
        refused++;
      }
    };
    await Promise.all([reader(), reader(), writer(), watcher()]);
    const { status, body } = await rotation;
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.success, true);
    assert.ok(body.reencrypted > SECRETS / 2, String(body.reencrypted));
    assert.ok(refused > 0 && changed.size > 0);
    assert.ok(seen.some(({ done, total }) => done > 0 && done < total), JSON.stringify(seen));
    assert.deepEqual(seen.map(({ done }) => done), seen.map(({ done }) => done).sort((a, b) => a - b));
    await assertValues(server, SECRETS, changed);
    assert.equal((await run(server, "/read?name=S1", key)).body, changed.get(1) ?? "value 1");
  }));

Deno.test("of five requests at once one rotates and four are refused", async () => {
  await using server = await startApp();
  const { body: made } = await server.api("POST", "/api/secrets", { name: "A", value: "a", scope: "global" });
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => server.api("POST", PATH)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409]);
  const { body } = await server.api("GET", PATH);
  assert.deepEqual([body.currentVersion, body.isInProgress, body.progress], [2, false, null]);
  assert.equal((await server.api("GET", `/api/secrets/${made.id}?includeValues=true`)).body.value, "a");
  assert.equal((await call("GET", server.url + PATH, undefined, { "X-API-Key": "nobody's key" })).status, 401);
});

Deno.test("a server that is stopped during a rotation goes on with it when it starts again", () =>
  withFolder(async (folder) => {
    fill(folder, SECRETS);
    {
      await using server = await startApp({ folder });
      const settings = {
        "encryption.key-rotation.batch-size": 20,
        "encryption.key-rotation.batch-sleep-ms": 20,
      };
      assert.equal((await server.api("PUT", "/api/settings", { settings })).status, 200);
      const rotation = server.api("POST", PATH);
      while (!((await server.api("GET", PATH)).body.progress?.done > 0));
      assert.equal(await server.stop(), 0);
      const { status, body } = await rotation;
      assert.deepEqual([status, body.code], [503, "Stopping"]);
    }
    await using server = await startApp({ folder });
    const { body: before } = await server.api("GET", PATH);
    assert.equal(before.isInProgress, true);
    assert.ok(before.progress.done > 0 && before.progress.total > SECRETS, JSON.stringify(before.progress));
    const settings = { "encryption.key-rotation.batch-size": 500, "encryption.key-rotation.batch-sleep-ms": 0 };
    assert.equal((await server.api("PUT", "/api/settings", { settings })).status, 200);
    await server.logged(/Key rotation to version 2 is done/);
    await assertValues(server, SECRETS);
  }));

Deno.test("a rotation that is due begins when the server starts", () =>
  withFolder(async (folder) => {
    fill(folder, 10);
    const path = join(folder, "data", "encryption-keys.json");
    const file = JSON.parse(Deno.readTextFileSync(path));
    file.keys[0].createdAt = new Date(Date.now() - 91 * 86_400_000).toISOString();
    Deno.writeTextFileSync(path, JSON.stringify(file));
    await using server = await startApp({ folder });
    await server.logged(/Key rotation to version 2 is done/);
    await assertValues(server, 10);
  }));

Deno.test("a full disk in the middle of a rotation is a clear error, loses nothing, and it goes on with room", () =>
  withFolder(async (folder) => {
    const data = join(folder, "data");
    Deno.mkdirSync(data);
    const mounted = await command("mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", data);
    if (!mounted) return console.log("skipped: a file system of limited size needs root and mount(8)");
    try {
      fill(folder, SECRETS);
      await using server = await startApp({ folder });
      // All the room that is left but 200 KB.
      const filler = join(data, "filler");
      await command("dd", "if=/dev/zero", `of=${filler}`, "bs=4096");
      Deno.truncateSync(filler, Deno.statSync(filler).size - 200 * 1024);
      const failed = await server.api("POST", PATH);
      assert.deepEqual([failed.status, failed.body.code], [503, "StorageFailed"], JSON.stringify(failed.body));
      assert.match(failed.body.error, /disk is full.*Nothing is lost/);
      const { body } = await server.api("GET", PATH);
      assert.equal(body.isInProgress, false);
      // Values are shown once that is recorded. Whether there is room for the record depends on SQLite's free pages.
      const { status: seen, body: shown } = await server.api("GET", "/api/secrets?includeValues=true");
      assert.ok(seen === 200 || (seen === 503 && shown.code === "StorageFailed"), `${seen} ${shown.error}`);
      assert.equal((await server.api("GET", "/api/secrets")).status, 200);
      Deno.removeSync(filler);
      await assertValues(server, SECRETS);
      const { status, body: rotated } = await server.api("POST", PATH);
      assert.deepEqual([status, rotated.currentVersion], [200, 2], JSON.stringify(rotated));
      await assertValues(server, SECRETS);
    } finally {
      await command("umount", "-l", data);
    }
  }));

Deno.test("a data folder that becomes read-only is a clear error, and the rotation succeeds when it no longer is", () =>
  withFolder(async (folder) => {
    fill(folder, 50);
    const data = join(folder, "data");
    await using server = await startApp({ folder });
    // What a mode forbids does not stop root, and what a mount forbids does not stop open files: this stops both.
    if (!await command("chattr", "+i", data)) return console.log("skipped: chattr(1) needs root and a file system");
    try {
      const { status, body } = await server.api("POST", PATH);
      assert.deepEqual([status, body.code], [503, "StorageFailed"], JSON.stringify(body));
      assert.match(body.error, /cannot be written to/);
      assert.equal((await server.api("GET", PATH)).body.isInProgress, false);
      await assertValues(server, 50);
    } finally {
      await command("chattr", "-i", data);
    }
    assert.equal((await server.api("POST", PATH)).body.currentVersion, 2);
    await assertValues(server, 50);
  }));

Deno.test("the overview says since when a rotation has been due, a day after it was, until one is done", () =>
  withFolder(async (folder) => {
    const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
    const madeAt = daysAgo(60);
    fill(folder, 5, madeAt);
    await using server = await startApp({ folder });
    const visitor = await setUp(server);
    const dueSince = async (days?: number): Promise<string | undefined> => {
      if (days !== undefined) await set(server, { "encryption.key-rotation.interval-days": days });
      const { text } = await visitor.get("/web");
      return /rotation of the encryption keys has been due since <time datetime="([^"]+)"/.exec(text)?.[1];
    };
    // What is due is found within the hour; this server was started when nothing was.
    assert.equal(await dueSince(), undefined);
    assert.equal(await dueSince(60), undefined, "due for less than an hour");
    assert.equal(await dueSince(30), new Date(madeAt.getTime() + 30 * 86_400_000).toISOString());
    assert.equal(await dueSince(58), new Date(madeAt.getTime() + 58 * 86_400_000).toISOString());
    assert.equal((await server.api("POST", PATH)).status, 200);
    assert.equal(await dueSince(), undefined);
    assert.equal(await dueSince(1), undefined);
  }));

/** Whether it succeeded. */
async function command(name: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(name, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
