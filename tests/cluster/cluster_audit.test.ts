// The audit of a cluster: what nodes and commands do to the cluster itself is in it, once.

import assert from "node:assert/strict";
import { type ClusterEvent, clusterEvents, type Recorded } from "../../src/cluster/node/cluster_audit.ts";
import { makeHome } from "../cli/cli.ts";
import { createSecret } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { PASSPHRASE_TEXT } from "./in_process.ts";
import { startPostgres } from "./postgres.ts";

const NODE = { url: "http://a:8000", version: "1", left: false };
const SEEN = { cluster: "c", schemaName: "s", schema: 13, salt: "x", nodes: { a: NODE } };

function named(events: ClusterEvent[]): string[] {
  return events.map(({ actor, event: { action, before, after } }) =>
    `${actor.kind} ${action} ${after?.node ?? after?.cluster ?? before?.node ?? ""}`.trim()
  );
}

Deno.test("each change of a cluster is one event, and nothing else is", () => {
  const recorded: Recorded = { ...SEEN, since: 0 };
  const events = (seen: Partial<typeof SEEN>, before: Recorded | undefined = recorded) =>
    named(clusterEvents(before, { ...SEEN, ...seen }, false));
  assert.deepEqual(named(clusterEvents(undefined, SEEN, true)), ["server cluster.founded c", "server node.joined a"]);
  assert.deepEqual(named(clusterEvents(undefined, SEEN, false)), ["operator cluster.moved c", "server node.joined a"]);
  assert.deepEqual(events({}), []);
  assert.deepEqual(events({ schema: 14 }), ["server cluster.upgraded"]);
  assert.deepEqual(events({ salt: "y" }), ["operator passphrase.changed"]);
  assert.deepEqual(events({ nodes: { a: { ...NODE, version: "2" } } }), ["server node.joined a"]);
  assert.deepEqual(events({ nodes: { a: { ...NODE, left: true } } }), ["server node.left a"]);
  const left = { ...recorded, nodes: { a: { ...NODE, left: true } } };
  assert.deepEqual(events({ nodes: { a: { ...NODE, left: true } } }, left), []);
  assert.deepEqual(events({}, left), ["server node.joined a"]);
  assert.deepEqual(events({ nodes: {} as typeof SEEN.nodes }, left), ["server node.forgotten a"]);
  // As of another cluster, which the data was moved from: its nodes and its passphrase are of no interest.
  assert.deepEqual(events({ cluster: "d", salt: "y" }), ["operator cluster.moved d", "server node.joined a"]);
});

interface Entry {
  readonly action: string;
  readonly actor: { readonly kind: string };
  readonly subject: { readonly id: number | null; readonly name: string };
  readonly after: { readonly node?: string } | null;
}

/** Returns the entries about the cluster, the oldest first, once there are so many. */
async function recorded(server: Server, count: number): Promise<Entry[]> {
  for (;;) {
    const { body } = await server.api("GET", "/api/audit?limit=1000");
    const entries = (body.entries as Entry[]).filter(({ action }) => /^(cluster|node|passphrase)\./.test(action));
    if (entries.length >= count) return entries.reverse();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

Deno.test("moves, joins, stops, forgotten nodes, a new passphrase and a departure are in the audit", async (t) => {
  await using postgres = await startPostgres();
  await using homeA = makeHome();
  await using homeB = makeHome();
  const env = { DATABASE_URL: `${postgres.url}?sslmode=disable`, KEYRING_PASSPHRASE: PASSPHRASE_TEXT };
  const NEW = { ...env, KEYRING_PASSPHRASE: "another horse battery" };
  await (await homeA.start()).stop();
  assert.equal((await homeA.cli(["migrate-to-cluster"], env)).code, 0);
  const expected = ["cluster.moved", "node.joined", "node.joined", "node.left", "node.forgotten", "passphrase.changed"];
  {
    await using a = await homeA.start(env);
    await createSecret(a, "ONE", "1");
    await recorded(a, 2);
    let id: string;
    {
      await using b = await homeB.start(env);
      id = (await b.api("GET", "/api/cluster")).body.node;
      assert.equal((await recorded(b, 3)).at(-1)!.after?.node, id);
      await b.stop();
    }
    assert.equal((await recorded(a, 4)).at(-1)!.after?.node, id);
    assert.equal((await homeB.cli(["cluster", "forget", id], env)).code, 0);
    await recorded(a, 5);
    const changed = await homeB.cli(["keyring", "passphrase"], {
      ...env,
      NEW_KEYRING_PASSPHRASE: NEW.KEYRING_PASSPHRASE,
    });
    assert.equal(changed.code, 0, changed.stderr);
    assert.deepEqual((await recorded(a, 6)).map(({ action }) => action), expected);
    const [moved, joined] = await recorded(a, 6);
    assert.deepEqual([moved!.actor.kind, moved!.subject.name], ["operator", "crude_functions"]);
    assert.deepEqual([joined!.actor.kind, joined!.subject.name], ["server", a.url]);
  }
  await t.step("a server that was made of the cluster says so, and the audit is whole", async () => {
    await using home = makeHome();
    const left = await home.cli(["leave-cluster", "data"], NEW);
    assert.equal(left.code, 0, left.stderr);
    await using single = await home.start({ KEYRING_PASSPHRASE: NEW.KEYRING_PASSPHRASE });
    assert.deepEqual((await recorded(single, 7)).map(({ action }) => action), [...expected, "cluster.left"]);
    const verified = await home.cli(["audit", "verify"], { KEYRING_PASSPHRASE: NEW.KEYRING_PASSPHRASE });
    assert.equal(verified.code, 0, verified.stderr);
  });
});
