// Implements `cluster status`, `cluster forget` and `cluster verify`, which talk to PostgreSQL alone, from any machine.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openClusterKeyring } from "../cluster/keyring/open_keyring.ts";
import type { Head } from "../cluster/log/change_log.ts";
import { forgetNode } from "../cluster/node/forgetting.ts";
import { RowMacs } from "../cluster/node/node_row.ts";
import type { OpenCluster } from "../cluster/open_cluster.ts";
import { verifyCluster } from "../cluster/verify_cluster.ts";
import { inspectKeyFile, KeyFile } from "../keyring/key_file.ts";
import { AppError } from "../errors.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { type Command, type Context, type Result, UsageError } from "./command.ts";
import { counted } from "./folder.ts";

const HEAD = /^(\d{1,15}):([0-9a-f]{64})$/;
/** A node that has not renewed its lease for this time is shown as gone. */
const GONE_AFTER_MS = 5_000;

export const clusterCommands: readonly Command[] = [
  {
    name: "cluster status",
    help: [
      "Show the nodes of a cluster, its last change and its snapshots.",
      "Needs DATABASE_URL and the passphrase, and works on any machine.",
    ],
    run: (context) => withCluster(context, (cluster) => status(cluster)),
  },
  {
    name: "cluster forget",
    positionals: ["<node>"],
    help: [
      "Remove a node that will not come back from the list of nodes, instead of after a day.",
      "A node that is live is not removed. cluster status shows the ids.",
    ],
    run: (context, { positionals }) => withCluster(context, (cluster) => forget(cluster, positionals[0]!)),
  },
  {
    name: "cluster verify",
    options: { head: { type: "string", value: "HEAD", help: "what an earlier run printed as the head" } },
    help: [
      "Find what something other than a node altered, added, moved or removed in PostgreSQL.",
      "Checks changes, snapshots, the keyring, rows of nodes, and contents of code.",
      "With --head, also find that an older state was put back. Changes nothing. Exit code 1 if there is anything.",
    ],
    run(context, { options }) {
      const expected = options.head === undefined ? undefined : parseHead(String(options.head));
      return withCluster(context, (cluster) => verify(cluster, context, expected));
    },
  },
];

/** @throws UsageError if DATABASE_URL is not set */
async function withCluster(context: Context, work: (cluster: OpenCluster) => Promise<Result>): Promise<Result> {
  const { config } = context;
  if (!config.cluster) {
    throw new UsageError(
      "DATABASE_URL, which names the cluster, is not set. A server without it is part of no cluster.",
    );
  }
  // The client of PostgreSQL is loaded for these commands only.
  const { openCluster } = await import("../cluster/open_cluster.ts");
  await using cluster = await openCluster(config.cluster, (stored) => openKeyring(context, stored));
  return await work(cluster);
}

/** Opens this node's own key file, or the one in PostgreSQL, which the passphrase protects. */
function openKeyring({ keyFile, config }: Context, stored: Uint8Array): Keyring {
  const { keyringPassphrase: passphrase } = config;
  if (existsSync(keyFile) && inspectKeyFile(keyFile).isOfCluster) return new KeyFile(keyFile, passphrase).keyring;
  const folder = mkdtempSync(join(tmpdir(), "crude-functions-"));
  try {
    return openClusterKeyring({ path: join(folder, "encryption-keys.json"), stored, passphrase }).keyring;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function status({ id: cluster, keyring, log, table, snapshots }: OpenCluster): Promise<Result> {
  // The nodes first, so that none is ahead of the head.
  const rows = await table.list();
  new RowMacs(keyring.derive("cluster nodes"), cluster).check(rows);
  const [head, kept] = [await log.head(), await snapshots.list()];
  const nodes = rows.map(({ id, url, version, applied, left, renewedMsAgo, startedAt }) => ({
    id,
    url,
    version,
    state: left ? "stopped" : renewedMsAgo < GONE_AFTER_MS ? "live" : "gone",
    applied,
    behind: Math.max(0, head.seq - applied),
    renewedMsAgo: Math.round(renewedMsAgo),
    startedAt: new Date(startedAt).toISOString(),
  }));
  const taken = kept.map(({ head, size, takenAt }) => ({
    seq: head.seq,
    sizeBytes: size,
    takenAt: new Date(takenAt).toISOString(),
  }));
  return {
    json: { cluster, head: textOf(head), nodes, snapshots: taken },
    lines: [
      `Cluster ${cluster}: ${counted(nodes.length, "node")}, ${counted(head.seq, "change")}`,
      ...nodes.map(({ id, url, version, state, behind, renewedMsAgo }) =>
        `  ${id}  ${state}  ${url}  version ${version}  ${counted(behind, "change")} behind  ` +
        `renewed ${(renewedMsAgo / 1_000).toFixed(1)} s ago`
      ),
      ...taken.map(({ seq, sizeBytes, takenAt }) =>
        `  snapshot after change ${seq}  ${counted(Math.ceil(sizeBytes / 1_024), "kB", "kB")}  ${takenAt}`
      ),
      `Head: ${textOf(head)}`,
    ],
  };
}

async function forget({ table }: OpenCluster, node: string): Promise<Result> {
  const nodes = await table.list();
  if (!nodes.some(({ id }) => id === node)) {
    const names = nodes.map(({ id, url }) => `${id} (${url})`).join(", ");
    throw new AppError(
      "NotFound",
      404,
      `There is no node ${node}. ${names === "" ? "There are none." : `There are ${names}.`}`,
    );
  }
  await forgetNode(table, node, (ms) => new Promise((resolve) => setTimeout(resolve, ms)));
  return { json: { forgotten: node }, lines: [`Node ${node} is forgotten.`] };
}

async function verify(cluster: OpenCluster, context: Context, expected: Head | undefined): Promise<Result> {
  const { seq } = await cluster.log.head();
  const { entries, head, isExpectedGone, snapshots, contents } = await context.progress(
    "Verifying",
    (report) => verifyCluster(cluster, { expected, onProgress: (done) => report(done, Math.max(done, seq)) }),
  );
  return {
    json: { changes: entries, snapshots, contents, head: textOf(head), isExpectedGone },
    lines: [
      `Verified ${counted(entries, "change")}, ${counted(snapshots, "snapshot")} and ` +
      `${counted(contents, "content")} of code: all are as nodes wrote them.`,
      ...(isExpectedGone ? ["The change of the given head is no longer kept, and was not compared."] : []),
      `Head: ${textOf(head)}`,
    ],
  };
}

function textOf({ seq, mac }: Head): string {
  return `${seq}:${mac}`;
}

/** @throws UsageError */
function parseHead(text: string): Head {
  const parts = HEAD.exec(text);
  if (!parts) throw new UsageError('--head takes what "cluster verify" or "cluster status" printed as the head.');
  return { seq: Number(parts[1]), mac: parts[2]! };
}
