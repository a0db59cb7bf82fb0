// Opens the folders, the key file and the databases of the server, and what protects them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type LoneRecorder, passphraseChange, type Recorder, SERVER } from "../actor.ts";
import { checkFolders } from "../config.ts";
import { type Audit, createAudit } from "../core/audit/audit.ts";
import { Integrity } from "../core/audit/integrity.ts";
import { type KeyFile, openKeyFile } from "../keyring/key_file.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { DataFolderError, openDataFolder } from "../store/data_folder.ts";
import { type Observations, openObservations } from "../store/observations.ts";
import { openStore, type Store } from "../store/store.ts";
import type { Endpoint } from "../http/endpoint.ts";
import type { ClusterPart } from "./cluster/cluster.ts";
import type { Host } from "./host.ts";

export interface Data extends ClusterPart {
  /** Absolute, without symbolic links. */
  readonly dataDir: string;
  /** Absolute, without symbolic links. */
  readonly codeDir: string;
  readonly keyFile: KeyFile;
  readonly keyring: Keyring;
  readonly store: Store;
  readonly observations: Observations;
  /** Reports changes to the database that this program did not make. */
  readonly integrity: Integrity;
  readonly audit: Audit;
  readonly record: Recorder;
}

/** @throws DataFolderError, KeyFileError, ConfigError */
export async function openData(opened: AsyncDisposableStack, host: Host, endpoint: Endpoint): Promise<Data> {
  const { config, log, now } = host;
  const warn = (message: string) => log("warn", message);
  opened.defer(openDataFolder(config.dataDir));
  const joined = config.cluster &&
    await (await import("./cluster/join.ts")).joinCluster(opened, host, config.cluster);
  // Not readable for the users that sandboxes run as: each gets a copy of its function's code.
  Deno.mkdirSync(config.codeDir, { recursive: true, mode: 0o700 });
  const [dataDir, codeDir] = [Deno.realPathSync(config.dataDir), Deno.realPathSync(config.codeDir)];
  if (!host.development) checkFolders(dataDir, codeDir);
  const database = join(config.dataDir, "database.db");
  const keyPath = join(config.dataDir, "encryption-keys.json");
  const keyFile = joined?.keyFile ??
    openKeyFile(keyPath, existsSync(database), new Date(now()), config.keyringPassphrase);
  if (keyFile.revision > 0 && !config.cluster) {
    throw new DataFolderError(
      `DATA_DIR ${dataDir} is of a node of a cluster: set DATABASE_URL. To make a server of its own from a cluster, see ` +
        '"deno task cli leave-cluster --help".',
    );
  }
  const { keyring } = keyFile;
  const integrity = new Integrity({ path: database, keyring, log });
  const store = openStore(database, keyFile, {
    warn,
    note: (message) => log("info", message),
    onFinding: (finding) => integrity.found(finding),
  });
  opened.defer(() => store.close());
  store.requireCommits();
  const cluster = joined && await (await import("./cluster/open.ts")).openNode(opened, host, joined, store, endpoint);
  const observations = openObservations(join(config.dataDir, "observations.db"), () => new Date(now()), warn);
  opened.defer(() => observations.close());
  opened.defer(() => integrity.stop());
  const audit = createAudit({ store, keyring, now, warn: (message) => log("error", message) });
  opened.defer(() => audit.close());
  await audit.start();
  const { record, recordAlone } = audit;
  await integrity.recordWith(recordAlone);
  cluster?.auditBy(record);
  await wrapKeyFile(keyFile, keyPath, recordAlone, host);
  return { cluster, dataDir, codeDir, keyFile, keyring, store, observations, integrity, audit, record };
}

/** Encrypts the key file with a passphrase that was not configured before. */
async function wrapKeyFile(
  keyFile: KeyFile,
  path: string,
  record: LoneRecorder,
  { config, log }: Host,
): Promise<void> {
  if (!config.keyringPassphrase || keyFile.isWrapped) return;
  await record(SERVER, passphraseChange("added"));
  keyFile.wrapWith(config.keyringPassphrase);
  log("info", `${path} is now encrypted with the passphrase.`);
}
