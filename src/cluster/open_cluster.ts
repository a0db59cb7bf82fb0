// Opens everything that PostgreSQL keeps of a cluster, for commands, which are no nodes.

import type { ClusterConfig } from "../config.ts";
import { DataFolderError } from "../store/data_folder.ts";
import type { Keyring } from "../keyring/keyring.ts";
import type { ChangeLog } from "./log/change_log.ts";
import { createChain } from "./log/entry.ts";
import type { NodeTable } from "./node/node_row.ts";
import { openPostgres } from "./postgres/client.ts";
import { type Keyrings, keyringsOf } from "./postgres/keyrings.ts";
import { PostgresNodeTable } from "./postgres/node_table.ts";
import { PostgresBlobs } from "./postgres/postgres_blobs.ts";
import { openPostgresLog, uncheckedKeyring } from "./postgres/postgres_log.ts";
import { clusterId } from "./postgres/schema.ts";
import { Snapshots } from "./postgres/snapshots.ts";

export interface OpenCluster extends AsyncDisposable {
  readonly id: string;
  readonly keyring: Keyring;
  readonly log: ChangeLog;
  readonly snapshots: Snapshots;
  readonly table: NodeTable;
  /** Contents of code; those that are read are not checked. */
  readonly contents: PostgresBlobs;
  /** Returns the keyring that new nodes open, which was not checked, and that of the newest entry of the log which has one. */
  keyrings(): Promise<Keyrings>;
}

/**
 * Opens a cluster that has at least one node. `openKeyring` is called with the wrapped key file in PostgreSQL.
 * @throws PostgresSetupError; StoreUnavailable; DataFolderError if there is no cluster; any error of `openKeyring`
 */
export async function openCluster(
  config: ClusterConfig,
  openKeyring: (stored: Uint8Array) => Keyring,
): Promise<OpenCluster> {
  const postgres = await openPostgres(config, { isNode: false });
  try {
    const stored = await uncheckedKeyring(postgres);
    if (!stored) {
      throw new DataFolderError(`The cluster in the schema ${config.schema} is empty: no node has started yet.`);
    }
    const keyring = openKeyring(stored);
    const id = await clusterId(postgres.lane("reads"));
    return {
      id,
      keyring,
      log: await openPostgresLog(postgres, createChain(keyring, id)),
      snapshots: new Snapshots(postgres, keyring, id),
      table: new PostgresNodeTable(postgres),
      contents: new PostgresBlobs(postgres),
      keyrings: () => keyringsOf(postgres),
      [Symbol.asyncDispose]: () => postgres.close(),
    };
  } catch (error) {
    await postgres.close();
    throw error;
  }
}
