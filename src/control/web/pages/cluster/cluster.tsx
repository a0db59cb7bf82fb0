// Implements /web/cluster: the nodes of the cluster, what to do about one that does not serve, and how to add one.

import type { Context } from "hono";
import { type ClusterState, lagOf, type NodeState } from "../../../../cluster_state.ts";
import { DAY_MS } from "../../../../time.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Ago, Badge, Fact, Facts, ShortTime, Stat, Stats, StatusDot } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { count, plural, took } from "../../ui/format.ts";
import { AddNode, Advice, Problem, SingleServer } from "./guides.tsx";

const PATH = "/web/cluster";

export function addCluster(web: Web, deps: WebDeps): void {
  web.get(PATH, (c) => showCluster(c, deps.cluster(), deps.now()));
}

function showCluster(c: Context<WebEnv>, state: ClusterState, now: number) {
  return page(c, {
    title: "Cluster",
    styles: ["cluster.css"],
    scripts: state.mode === "single" ? [] : ["cluster.js"],
    children: state.mode === "single" ? <SingleServer /> : <Cluster state={state} now={now} />,
  });
}

function Cluster({ state, now }: { state: ClusterState; now: number }) {
  const { nodes, founded, unknownSince, problem } = state;
  const gone = nodes.filter(({ id, live }) => live === false && id !== state.node);
  return (
    <>
      {/* Replaced every few seconds by scripts. */}
      <div id="cluster-state">
        {problem && <Problem problem={problem} />}
        {isNew(state, now) && (
          <p class="notice">
            This cluster was founded in the schema <code>{founded!.schema}</code>{" "}
            by its first node, which is the only one. If it was to join another cluster, stop it, correct{" "}
            <code>DATABASE_URL</code> or <code>DATABASE_SCHEMA</code> and empty its <code>DATA_DIR</code>.
          </p>
        )}
        <Figures state={state} />
        <Nodes state={state} now={now} />
        {new Set(nodes.filter(({ live }) => live).map(({ version }) => version)).size > 1 && (
          <p class="quiet">
            The nodes have different versions, as they have during an upgrade. Upgrade the others as well.
          </p>
        )}
        {unknownSince === undefined && gone.length > 0 && <Advice nodes={gone} />}
        <Facts>
          {founded && (
            <>
              <Fact term="Founded">
                <Ago ms={founded.at} now={now} />
              </Fact>
              <Fact term="Schema of PostgreSQL">
                <code>{founded.schema}</code>
              </Fact>
            </>
          )}
          <Fact term="When a node is cut off">
            <a href="/web/settings#cluster.when-cut-off">cluster.when-cut-off</a>
          </Fact>
        </Facts>
      </div>
      <AddNode />
    </>
  );
}

function Figures({ state }: { state: ClusterState }) {
  const { head, nodes, unknownSince, leaseMs } = state;
  const live = nodes.filter((node) => node.live);
  const lag = Math.max(0, ...live.map((node) => lagOf(state, node)));
  const isAll = live.length === nodes.length;
  return (
    <Stats>
      {unknownSince === undefined
        ? (
          <Stat
            label="Nodes that serve"
            figure={`${live.length} of ${nodes.length}`}
            kind={isAll ? "ok" : live.length === 0 ? "bad" : "warn"}
          />
        )
        : <Stat label="Nodes that serve" figure="unknown" kind="bad" note={<>since {moment(unknownSince)}</>} />}
      <Stat label="Changes" figure={count(head ?? 0)} note="the position of the log" />
      <Stat
        label="Furthest behind"
        figure={lag === 0 ? "none" : plural(lag, "change")}
        note="of the nodes that serve"
      />
      <Stat
        label="Lease of this node"
        figure={leaseMs > 0 ? `${(leaseMs / 1_000).toFixed(1)} s` : "lapsed"}
        kind={leaseMs > 0 ? undefined : "bad"}
        note="renewed twice a second"
      />
    </Stats>
  );
}

function Nodes({ state, now }: { state: ClusterState; now: number }) {
  return (
    <DataTable
      label="List of nodes"
      isStacked
      rows={state.nodes}
      columns={[
        { label: "Node", isRowHeader: true, cell: (node) => <Name node={node} isThis={node.id === state.node} /> },
        { label: "State", cell: (node) => <State node={node} unknownSince={state.unknownSince ?? now} /> },
        { label: "Position", isFigure: true, cell: ({ applied }) => count(applied) },
        { label: "Behind", isFigure: true, cell: (node) => behind(lagOf(state, node)) },
        { label: "Lease renewed", isFigure: true, cell: ({ renewedMsAgo }) => age(renewedMsAgo) },
        { label: "Version", cell: ({ version }) => version },
        { label: "Started", cell: ({ startedAt }) => <Ago ms={startedAt} now={now} /> },
      ]}
    />
  );
}

function State({ node: { live, left }, unknownSince }: { node: NodeState; unknownSince: number }) {
  if (live === undefined) {
    return (
      <StatusDot kind="off">
        <span>unknown since {moment(unknownSince)}</span>
      </StatusDot>
    );
  }
  if (live) return <StatusDot kind="ok">serves</StatusDot>;
  return left ? <StatusDot kind="off">stopped</StatusDot> : <StatusDot kind="bad">does not serve</StatusDot>;
}

/** Reports whether the cluster may have been founded by mistake: for a day, as long as there is one node. */
function isNew({ founded, nodes }: ClusterState, now: number): boolean {
  return founded !== undefined && nodes.length === 1 && now - founded.at < DAY_MS;
}

/** Exactly: until then, the node was seen. */
function moment(ms: number) {
  return <ShortTime ms={ms} form="precise" />;
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

function behind(lag: number): string {
  return lag === 0 ? "–" : plural(lag, "change");
}

function age(sinceMs: number): string {
  return `${took(Math.max(0, sinceMs))} ago`;
}
