// Nodes in one process, each with a database and services of its own, that follow one log in memory.

import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { ChangeLog } from "../../src/cluster/log/change_log.ts";
import { Replica } from "../../src/cluster/replica/replica.ts";
import { createWriter, type Writer } from "../../src/cluster/replica/writer.ts";
import { type Access, createAccess } from "../../src/core/access/access.ts";
import { type Admins, createAdmins } from "../../src/core/admins/admins.ts";
import { type Audit, createAudit } from "../../src/core/audit/audit.ts";
import { AUDIT_KEY, createSigner, verifyChain } from "../../src/core/audit/chain.ts";
import { createRegistry, type Registry } from "../../src/core/functions/registry.ts";
import { createSecrets, type Secrets } from "../../src/core/secrets/service.ts";
import { createSettings, type Settings } from "../../src/core/settings/settings.ts";
import { type CodeHistory, createCodeHistory } from "../../src/code/versions/history.ts";
import type { AppError } from "../../src/errors.ts";
import type { FunctionId } from "../../src/ids.ts";
import { KeyFile, openKeyFile } from "../../src/keyring/key_file.ts";
import type { Keyring } from "../../src/keyring/keyring.ts";
import { describeFinding, type Finding } from "../../src/store/authenticated_tables.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { readHead } from "../../src/store/rows_head.ts";
import { openSnapshot } from "../../src/store/snapshot.ts";
import { verifyTables } from "../../src/store/verification.ts";
import { MemoryLog, type Weather } from "./memory_log.ts";
import { temporaryFolder } from "./temporary.ts";

export interface MemoryNode {
  readonly path: string;
  readonly weather: Weather;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly replica: Replica;
  readonly writer: Writer;
  readonly access: Access;
  readonly admins: Admins;
  readonly audit: Audit;
  readonly registry: Registry;
  readonly secrets: Secrets;
  readonly settings: Settings;
  readonly history: CodeHistory;
  /** What the registry was told of functions, and whether they were deleted. */
  readonly told: [FunctionId, boolean][];
  readonly failures: AppError[];
  readonly findings: Finding[];
  stop(): Promise<void>;
}

export interface MemoryNodes extends AsyncDisposable {
  readonly log: MemoryLog;
  readonly nodes: MemoryNode[];
  /** Replaces a node by one on the same files, as a restart does. */
  restart(index: number): Promise<void>;
  /** Connects all nodes and lets them apply everything. */
  heal(): Promise<void>;
}

const DATABASE = "database.db";
const KEYS = "encryption-keys.json";
/** How long a session lasts without use. */
export const IDLE_MS = 3_600_000;
const LIMITS = { idleMs: () => IDLE_MS, longestMs: () => 24 * IDLE_MS };

export interface MemoryNodesOptions {
  readonly now?: () => number;
  /** Opens the log of a node; without it, all have one in memory. */
  readonly connect?: (keyring: Keyring) => Promise<ChangeLog>;
}

export async function memoryNodes(
  count: number,
  { now = Date.now, connect }: MemoryNodesOptions = {},
): Promise<MemoryNodes> {
  const folder = temporaryFolder();
  const paths = Array.from({ length: count }, (_, index) => join(folder.path, `node-${index}`));
  for (const path of paths) mkdirSync(path);
  const [first] = paths as [string];
  const keyFile = openKeyFile(join(first, KEYS), false, new Date(0));
  {
    const store = openStore(join(first, DATABASE), keyFile);
    await createAudit({ store, keyring: keyFile.keyring, now: () => 0, warn() {} }).start();
    store.close();
  }
  for (const path of paths.slice(1)) {
    for (const { name } of Deno.readDirSync(first)) copyFileSync(join(first, name), join(path, name));
  }
  const log = new MemoryLog(keyFile.keyring);
  const open = async (path: string): Promise<MemoryNode> => {
    const weather: Weather = { isCut: false, nextCommit: "answered", turns: () => 0 };
    return openNode({ path, weather, log: await connect?.(keyFile.keyring) ?? log.connect(weather), live, now });
  };
  const nodes: MemoryNode[] = [];
  const live = () => nodes.filter(({ weather }) => !weather.isCut);
  for (const path of paths) nodes.push(await open(path));
  return {
    log,
    nodes,
    async restart(index) {
      await nodes[index]!.stop();
      nodes[index] = await open(paths[index]!);
    },
    async heal() {
      for (const { weather } of nodes) Object.assign(weather, { isCut: false, nextCommit: "answered" });
      for (const { replica } of nodes) await replica.catchUp(log.head.seq);
    },
    async [Symbol.asyncDispose]() {
      for (const { stop } of nodes) await stop();
      rmSync(folder.path, { recursive: true });
    },
  };
}

interface NodeParts {
  readonly path: string;
  readonly weather: Weather;
  readonly log: ChangeLog;
  readonly live: () => readonly MemoryNode[];
  readonly now: () => number;
}

function openNode({ path, weather, log, live, now }: NodeParts): MemoryNode {
  const keyFile = new KeyFile(join(path, KEYS), undefined);
  const { keyring } = keyFile;
  const findings: Finding[] = [];
  const store = openStore(join(path, DATABASE), keyFile, { onFinding: (finding) => findings.push(finding) });
  const failures: AppError[] = [];
  const replication = store.replicate();
  const replica = new Replica({
    log,
    replication,
    meta: store.meta,
    applyOther() {},
    // As files of code are put in place and what is left of them is removed.
    prepare: () => Promise.resolve({ apply() {}, [Symbol.asyncDispose]: () => turn() }),
    settle: () => Promise.resolve(),
    onFatal: (error) => failures.push(error),
  });
  const appliedEverywhere = async (seq: number) => {
    for (const node of live()) await node.replica.catchUp(seq).catch(() => {});
  };
  const writer = createWriter({ log, replication, replica, appliedEverywhere });
  store.commitThrough(writer);
  const audit = createAudit({
    store,
    keyring,
    now,
    warn: (message) => findings.push({ table: "audit", id: undefined, problem: message }),
  });
  const { record } = audit;
  const told: [FunctionId, boolean][] = [];
  replica.start();
  return {
    ...{ path, weather, store, keyring, replica, writer, audit, told, failures, findings },
    access: createAccess({ store, keyring, now, groupsInSettings: () => [], record }),
    admins: createAdmins({ store, keyring, limits: LIMITS, now, record }),
    registry: createRegistry({ store, now, record, onChange: (id, deleted) => told.push([id, deleted]) }),
    secrets: createSecrets({ store, keyring, now, record, versionsKept: () => 3 }),
    settings: createSettings({ store, check: () => undefined, record }),
    history: createCodeHistory({ store: store.codeVersions, key: keyring.derive("code versions"), now }),
    async stop() {
      await replica.stop();
      store.close();
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Every row of every table of a node, as text. */
export function rowsOf({ path }: Pick<MemoryNode, "path">): Record<string, string[]> {
  using db = new DatabaseSync(join(path, DATABASE), { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all() as {
    name: string;
  }[];
  const textOf = (value: unknown) => value instanceof Uint8Array ? value.toHex() : value;
  return Object.fromEntries(tables.map(({ name }) => {
    const rows = db.prepare(`SELECT * FROM ${name}`).all();
    return [
      name,
      rows.map((row) => JSON.stringify(Object.entries(row).map(([key, value]) => [key, textOf(value)]))).sort(),
    ];
  }));
}

/** What is wrong with the authenticated rows and the audit of a node. */
export function problemsOf({ path, keyring }: MemoryNode): string[] {
  using db = new DatabaseSync(join(path, DATABASE), { readOnly: true });
  const { head } = readHead(db, keyring.derive("head"));
  const problems = verifyTables(db, keyring, head).flatMap(({ findings }) => findings).map(describeFinding);
  using snapshot = openSnapshot(join(path, DATABASE));
  const broken = verifyChain({ ...snapshot.audit!, sign: createSigner(keyring.derive(AUDIT_KEY)) });
  return broken ? [...problems, JSON.stringify(broken)] : problems;
}
