// Nodes on a PostgreSQL whose log is altered: those that run stop serving and say which entry is wrong, those that start
// end with exit code 5.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import { createSecret } from "../http/handlers.ts";
import { environment, ROOT, type Server } from "../http/server.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

const PASSPHRASE = "a passphrase for the tests of clusters";

function environmentOf(there: TestPostgres) {
  return { DATABASE_URL: there.url, KEYRING_PASSPHRASE: PASSPHRASE };
}

async function startNode(there: TestPostgres, folder: string): Promise<Server> {
  await Deno.mkdir(folder, { recursive: true });
  return await startApp({ folder, env: environmentOf(there) });
}

/** Starts a server by the command that users run; returns its exit code and the line on standard error. */
async function exitOf(there: TestPostgres, folder: string): Promise<{ code: number; line: string }> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const [, ...args] = tasks.start.split(" ");
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { ...environment(join(folder, "data"), join(folder, "code")), ...environmentOf(there), PORT: "0" },
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, line: new TextDecoder().decode(stderr).trim() };
}

/** Resolves with the answer once the node refuses. */
async function refusal(node: Server) {
  while (true) {
    const answer = await node.api("GET", "/api/secrets");
    if (answer.status !== 200) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Every running node refuses, and says why wherever someone may look. */
async function assertRefuses(node: Server, seq: number, what: RegExp): Promise<void> {
  const { status, body } = await refusal(node);
  assert.deepEqual([status, body.code], [503, "LogTampered"]);
  assert.ok(body.error.startsWith(`Entry ${seq} of the log of changes `), body.error);
  assert.match(body.error, what);
  assert.equal((await node.api("GET", "/health")).status, 503);
  const { body: state } = await node.api("GET", "/api/cluster");
  assert.deepEqual([state.mode, state.problem.code, state.problem.seq], ["cluster", "LogTampered", seq]);
  assert.ok(node.logs().includes(`Entry ${seq} of the log of changes `));
}

Deno.test("an altered log stops every running node, which names the entry, and no node starts on it", async (t) => {
  await using there = await startPostgres();

  await t.step("an entry that no node has written", async () => {
    using folders = temporaryFolder();
    await using a = await startNode(there, join(folders.path, "a"));
    await using b = await startNode(there, join(folders.path, "b"));
    await createSecret(a, "DB", "1");
    const [head] = await there.query<{ seq: number }>(`SET search_path = crude_functions;
      INSERT INTO log SELECT seq + 1, gen_random_uuid(), kind, body, summary, mac FROM log ORDER BY seq DESC LIMIT 1;
      UPDATE log_head SET seq = seq + 1;
      SELECT seq::int FROM log_head`);
    for (const node of [a, b]) await assertRefuses(node, head!.seq, /does not match its MAC/);
    const { code, line } = await exitOf(there, join(folders.path, "c"));
    assert.equal(code, 5, line);
    assert.ok(line.includes(`Entry ${head!.seq} of the log of changes does not match its MAC`), line);
  });

  await t.step("an earlier state from a dump", async () => {
    await there.query("DROP SCHEMA crude_functions CASCADE");
    using folders = temporaryFolder();
    await using a = await startNode(there, join(folders.path, "a"));
    await using b = await startNode(there, join(folders.path, "b"));
    await there.query("CREATE TABLE head AS SELECT * FROM crude_functions.log_head");
    await createSecret(a, "DB", "1");
    const [head] = await there.query<{ seq: number }>(`SET search_path = crude_functions, public;
      DELETE FROM log WHERE seq > (SELECT seq FROM head);
      UPDATE log_head SET seq = head.seq, mac = head.mac FROM head;
      SELECT seq::int FROM log_head`);
    for (const node of [a, b]) await assertRefuses(node, head!.seq + 1, /is missing: .* An older state was restored/);
    await b.stop();
    assert.equal((await exitOf(there, join(folders.path, "b"))).code, 5);
  });
});

Deno.test("a node renews its lease whatever anyone who can connect to the database notifies it of", async () => {
  await using there = await startPostgres();
  using folder = temporaryFolder();
  await using node = await startNode(there, folder.path);
  for (const seq of [1e6, Number.MAX_SAFE_INTEGER]) {
    await there.query("SELECT pg_notify('crude_functions', $1)", [`log ${seq}` as never]);
  }
  // A node that knows of an entry which it cannot apply stops after the fifth renewal.
  const counter = async () =>
    (await there.query<{ counter: number }>("SELECT counter FROM crude_functions.nodes"))[0]!.counter;
  const first = await counter();
  while (await counter() < first + 8);
  assert.equal((await node.api("GET", "/health")).status, 200);
});
