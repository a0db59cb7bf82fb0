// Implements /web/cluster: the nodes of the cluster, and what to do about one that does not serve.

import type { Context } from "hono";
import { type ClusterState, lagOf, type NodeState } from "../../../../cluster_state.ts";
import { DAY_MS } from "../../../../time.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Ago, Badge, Empty, Fact, Facts } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { plural } from "../../ui/format.ts";

const PATH = "/web/cluster";

export function addCluster(web: Web, deps: WebDeps): void {
  web.get(PATH, (c) => showCluster(c, deps.cluster(), deps.now()));
}

function showCluster(c: Context<WebEnv>, state: ClusterState, now: number) {
  return page(c, {
    title: "Cluster",
    children: state.mode === "single" ? <Single /> : <Nodes state={state} now={now} />,
  });
}

function Single() {
  return (
    <Empty icon="server" title="One server">
      <p>
        It works alone, with its own database. To let several servers share functions, secrets and keys, give each of
        them the address of one PostgreSQL in <code>DATABASE_URL</code>.
      </p>
    </Empty>
  );
}

function Nodes({ state, now }: { state: ClusterState; now: number }) {
  const { head, nodes, founded, unknownSince, problem } = state;
  const live = nodes.filter((node) => node.live);
  return (
    <>
      {problem && (
        <p class="warning" role="alert">
          This node does not serve: {problem.message}
        </p>
      )}
      {isNew(state, now) && (
        <p class="notice">
          This cluster was founded in the schema <code>{founded!.schema}</code>{" "}
          by its first node, which is the only one. If it was to join another cluster, stop it, correct{" "}
          <code>DATABASE_URL</code> or <code>DATABASE_SCHEMA</code> and empty its <code>DATA_DIR</code>.
        </p>
      )}
      <Facts>
        {founded && (
          <Fact term="Founded">
            <Ago ms={founded.at} now={now} />, in the schema {founded.schema}
          </Fact>
        )}
        <Fact term="Changes">{String(head)}</Fact>
        <Fact term="Nodes that serve">
          {unknownSince === undefined ? `${live.length} of ${nodes.length}` : <Unknown since={unknownSince} />}
        </Fact>
      </Facts>
      <DataTable
        label="List of nodes"
        isStacked
        rows={nodes}
        columns={[
          { label: "Node", isRowHeader: true, cell: (node) => <Name node={node} isThis={node.id === state.node} /> },
          {
            label: "State",
            cell: ({ live }) =>
              live === undefined
                ? <Unknown since={unknownSince ?? now} />
                : live
                ? <Badge kind="ok">serves</Badge>
                : <Badge kind="off">does not serve</Badge>,
          },
          { label: "Behind", isFigure: true, cell: (node) => behind(lagOf(state, node)) },
          { label: "Lease renewed", isFigure: true, cell: ({ renewedMsAgo }) => age(renewedMsAgo) },
          { label: "Version", cell: ({ version }) => version },
          { label: "Started", cell: ({ startedAt }) => <Ago ms={startedAt} now={now} /> },
        ]}
      />
      {new Set(live.map(({ version }) => version)).size > 1 && (
        <p class="quiet">
          The nodes have different versions, as they have during an upgrade. Upgrade the others as well.
        </p>
      )}
      {live.length < nodes.length && <Advice />}
    </>
  );
}

/** Reports whether the cluster may have been founded by mistake: for a day, as long as there is one node. */
function isNew({ founded, nodes }: ClusterState, now: number): boolean {
  return founded !== undefined && nodes.length === 1 && now - founded.at < DAY_MS;
}

/** To the second: until then, the node was seen. */
function Unknown({ since }: { since: number }) {
  const iso = new Date(since).toISOString();
  return (
    <Badge kind="off">
      unknown since <time datetime={iso}>{iso.slice(0, 19).replace("T", " ")} UTC</time>
    </Badge>
  );
}

function Name({ node: { id, url }, isThis }: { node: NodeState; isThis: boolean }) {
  return (
    <>
      {url} {isThis && <Badge kind="plain">this node</Badge>}
      <br />
      <small class="quiet">{id}</small>
    </>
  );
}

/** What to do about nodes that do not serve. */
function Advice() {
  return (
    <section aria-labelledby="advice">
      <h2 id="advice">If a node does not serve</h2>
      <ul>
        <li>
          A node that was stopped is listed for a day, and no change waits for it. If it will not come back, run{" "}
          <code>deno task cli cluster forget NODE</code> on a server of the cluster.
        </li>
        <li>
          A node that runs and does not serve is cut off: it cannot reach PostgreSQL, or cannot apply changes. It
          answers with 503 until it can. Its log and its <code>/health</code>{" "}
          say why; check the network between it and PostgreSQL, and the free space on its disk.
        </li>
        <li>A node that is only slow serves again as soon as it has applied the changes that it lacks.</li>
      </ul>
    </section>
  );
}

function behind(lag: number): string {
  return lag === 0 ? "–" : plural(lag, "change");
}

function age(sinceMs: number): string {
  const ms = Math.max(0, sinceMs);
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s ago` : `${Math.round(ms / 60_000)} min ago`;
}
