// What a node says about its cluster: to the API, on the page, and to collectors of metrics.

import assert from "node:assert/strict";
import { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import { type ClusterState, SINGLE_SERVER } from "../../src/cluster_state.ts";
import { addCluster as addClusterApi } from "../../src/control/api/cluster.ts";
import type { ApiDeps, ApiEnv } from "../../src/control/services.ts";
import { addCluster as addClusterPage } from "../../src/control/web/pages/cluster/cluster.tsx";
import type { WebDeps, WebEnv } from "../../src/control/web/shell/deps.ts";
import { expose } from "../../src/telemetry/prometheus.ts";

const STARTED = Date.UTC(2026, 0, 1);
const STATE: ClusterState = {
  mode: "cluster",
  node: "a",
  head: 12,
  nodes: [
    {
      id: "a",
      url: "http://a:8000",
      version: "0.1.0",
      applied: 12,
      live: true,
      left: false,
      renewedMsAgo: 180.6,
      startedAt: STARTED,
    },
    {
      id: "b",
      url: "http://b:8000",
      version: "0.2.0",
      applied: 10,
      live: true,
      left: false,
      renewedMsAgo: -3,
      startedAt: STARTED,
    },
    {
      id: "c",
      url: "http://c:8000",
      version: "0.1.0",
      applied: 4,
      live: false,
      left: true,
      renewedMsAgo: 7_200_000,
      startedAt: STARTED,
    },
  ],
  unknownSince: undefined,
  founded: { at: STARTED - 60_000, schema: "crude_functions" },
  problem: undefined,
  leaseMs: 1_500,
};

async function answered(state: ClusterState) {
  const api = new OpenAPIHono<ApiEnv>();
  addClusterApi(api, { cluster: () => state } as ApiDeps);
  return await (await api.request("/api/cluster")).json();
}

async function shown(state: ClusterState): Promise<string> {
  return (await htmlOf(state)).replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

async function htmlOf(state: ClusterState): Promise<string> {
  const web = new Hono<WebEnv>();
  web.use("*", async (c, next) => {
    c.set("firstSteps", () => undefined);
    c.set("alterations", []);
    c.set("admin", { email: "root@example.com" } as WebEnv["Variables"]["admin"]);
    await next();
  });
  addClusterPage(web, { cluster: () => state, now: () => STARTED } as WebDeps);
  const html = await (await web.request("/web/cluster", {}, { secure: false, port: 8000 })).text();
  return html.slice(html.indexOf("<main"));
}

function metrics(cluster: ClusterState): string[] {
  return expose({
    totals: new Map(),
    trialRefusals: new Map(),
    functions: [],
    startedAt: 0,
    residentBytes: 0,
    cluster,
    secretsDue: [],
  }).split(
    "\n",
  )
    .filter((line) => /^crude_functions_(node|cluster)/.test(line));
}

Deno.test("the API answers with each node, and with a problem only while there is one", async () => {
  const { nodes, ...rest } = await answered(STATE);
  assert.deepEqual(rest, { mode: "cluster", node: "a", head: 12 });
  assert.deepEqual(nodes[0], {
    id: "a",
    url: "http://a:8000",
    version: "0.1.0",
    applied: 12,
    live: true,
    renewedMsAgo: 181,
    startedAt: "2026-01-01T00:00:00.000Z",
  });
  // The clocks of PostgreSQL's machine and of a reader differ.
  assert.equal(nodes[1].renewedMsAgo, 0);
  const tampered = await answered({ ...STATE, problem: { code: "LogTampered", message: "Entry 7 …", seq: 7 } });
  assert.deepEqual(tampered.problem, { code: "LogTampered", error: "Entry 7 …", seq: 7 });
  const cutOff = await answered({ ...STATE, problem: { code: "CutOff", message: "Cut off.", seq: undefined } });
  assert.deepEqual(cutOff.problem, { code: "CutOff", error: "Cut off." });
});

Deno.test("the page shows how far each node is behind, and what to do about one that does not serve", async () => {
  const text = await shown(STATE);
  assert.match(text, /Nodes that serve 2 of 3/);
  assert.match(text, /http:\/\/a:8000 this node a serves 12 – 181 ms ago 0.1.0/);
  assert.match(text, /http:\/\/b:8000 b serves 10 2 changes 0 ms ago 0.2.0/);
  assert.match(text, /http:\/\/c:8000 c stopped 4 8 changes 120 min ago/);
  assert.match(text, /different versions/);
  assert.match(text, /http:\/\/c:8000 was stopped\. Start it again.* cluster forget c /);
  const failed = { ...STATE, nodes: STATE.nodes.map((node) => ({ ...node, left: false })) };
  assert.match(await shown(failed), /c does not serve .*c:8000 has not renewed its lease.* cluster forget c /);
  assert.match(text, /Schema of PostgreSQL crude_functions/);
  assert.doesNotMatch(text, /was founded/);
  const whole = await shown({ ...STATE, nodes: STATE.nodes.slice(0, 1) });
  assert.doesNotMatch(whole, /different versions|cluster forget/);
  assert.match(whole, /This cluster was founded in the schema crude_functions .* DATABASE_SCHEMA/);
  const old = { ...STATE, nodes: STATE.nodes.slice(0, 1), founded: { at: STARTED - 2 * 86_400_000, schema: "s" } };
  assert.doesNotMatch(await shown(old), /was founded/);
});

/** What a node says that has not read the others' rows for a while. */
const BLIND: ClusterState = {
  ...STATE,
  nodes: STATE.nodes.map((node) => node.id === "a" ? { ...node, live: false } : { ...node, live: undefined }),
  unknownSince: STARTED + 3_723_000,
  problem: { code: "CutOff", message: "Cut off.", seq: undefined },
};

Deno.test("a node that cannot read how the others are says since when, and not that they are live", async () => {
  const { nodes, unknownSince } = await answered(BLIND);
  assert.deepEqual(nodes.map(({ live }: { live: boolean | null }) => live), [false, null, null]);
  assert.equal(unknownSince, "2026-01-01T01:02:03.000Z");
  const text = await shown(BLIND);
  assert.match(text, /Nodes that serve unknown since 2026-01-01 01:02:03.000 UTC/);
  assert.match(text, /http:\/\/b:8000 b unknown since 2026-01-01 01:02:03.000 UTC/);
  assert.match(text, /This node does not serve\. Cut off\. Check that PostgreSQL runs/);
  assert.doesNotMatch(text, /b serves/);
  assert.deepEqual(metrics(BLIND).slice(-3).map((line) => line.split(" ")[1]), ["0", "1", "2"]);
});

Deno.test("the page of a server of its own has commands of two lines in two lines", async () => {
  const html = await htmlOf(SINGLE_SERVER);
  assert.match(html, /deno task cli migrate-to-cluster\ndeno task start</);
  assert.match(html, /LOGIN PASSWORD [^<\n]*;\nCREATE DATABASE/);
});

Deno.test("the metrics of a node are there in a cluster only", () => {
  assert.deepEqual(metrics(STATE), [
    "crude_functions_node_serving 1",
    "crude_functions_node_lease_seconds 1.5",
    "crude_functions_cluster_head 12",
    "crude_functions_node_lag 0",
    'crude_functions_cluster_nodes{live="true"} 2',
    'crude_functions_cluster_nodes{live="false"} 1',
    'crude_functions_cluster_nodes{live="unknown"} 0',
  ]);
  assert.deepEqual(metrics({ ...STATE, mode: "single" }), []);
});
