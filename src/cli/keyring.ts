// Implements `keyring status`, `keyring verify`, `keyring rotate` and `keyring passphrase`.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openClusterKeyring } from "../cluster/keyring/open_keyring.ts";
import { type ClusterConfig, type Passphrase, passphraseOfFile } from "../config.ts";
import { OPERATOR, passphraseChange } from "../actor.ts";
import { ownerId } from "../ids.ts";
import { apiKeyAad, secretAad, secretVersionAad } from "../keyring/aad.ts";
import { inspectKeyFile, KeyFile } from "../keyring/key_file.ts";
import { DecryptionError, type Keyring } from "../keyring/keyring.ts";
import { describeUnreadable, type RotationOutcome } from "../core/encryption/key_status.ts";
import { Rotation } from "../core/encryption/rotation.ts";
import { createSettings } from "../core/settings/settings.ts";
import { openSnapshot, type Snapshot } from "../store/snapshot.ts";
import { openStore } from "../store/store.ts";
import { type Command, type Context, EXIT, type Given, type Report, type Result, UsageError } from "./command.ts";
import {
  counted,
  missingLines,
  missingVersions,
  recorder,
  recordIn,
  refuseNode,
  requirePair,
  withFolder,
} from "./folder.ts";

const status: Command = {
  name: "keyring status",
  help: [
    "Show the key versions, the number of values of each, and which are missing.",
    "Needs no passphrase. Exit code 1 if a key is missing.",
  ],
  run({ database, keyFile }) {
    // The database first: a key is written to the file before a value is encrypted with it.
    using snapshot = openSnapshot(database);
    const counts = snapshot.countByVersion();
    const { current, keys, kdf } = inspectKeyFile(keyFile);
    const missing = missingVersions(counts, keys.map(({ version }) => version));
    const damaged = counts.get(0) ?? 0;
    const versions = keys.map((key) => ({
      ...key,
      current: key.version === current,
      values: counts.get(key.version) ?? 0,
    }));
    const wrapped = kdf !== undefined;
    return {
      code: missing.length > 0 || damaged > 0 ? EXIT.failed : EXIT.ok,
      json: { keyFile, wrapped, currentVersion: current, versions, missing, damaged },
      lines: [
        `${keyFile} is ${wrapped ? "encrypted with a passphrase" : "not encrypted with a passphrase"}.`,
        ...versions.map(({ version, createdAt, values }) =>
          `  version ${version}  created ${createdAt}  ${counted(values, "value")}${
            version === current ? "  current" : ""
          }`
        ),
        ...missingLines(missing),
        ...(damaged > 0 ? [`${counted(damaged, "value")} damaged: without a key version.`] : []),
      ],
    };
  },
};

/** A stored value that cannot be read, without the value itself. */
type Unreadable =
  & { readonly id: number; readonly problem: string }
  & (
    | { readonly kind: "secret"; readonly name: string; readonly scope: string; readonly ownerId: number }
    | { readonly kind: "secretVersion"; readonly version: number }
    | { readonly kind: "apiKey"; readonly name: string; readonly groupId: number; readonly groupName: string }
  );

const verify: Command = {
  name: "keyring verify",
  help: [
    "Decrypt every secret, its earlier values and every API key, and list those that cannot be read.",
    "Works while the server runs, and changes nothing. Exit code 1 if anything cannot be read.",
  ],
  async run(context) {
    const { database, keyFile, config } = context;
    using snapshot = openSnapshot(database);
    const { keyring } = new KeyFile(keyFile, config.keyringPassphrase);
    requirePair(snapshot, keyring, keyFile);
    const checked = snapshot.count();
    const unreadable = await context.progress("Verifying", (report) => [...unreadableOf(snapshot, keyring, report)]);
    return {
      code: unreadable.length > 0 ? EXIT.failed : EXIT.ok,
      json: { checked, readable: checked - unreadable.length, unreadable },
      lines: [
        ...unreadable.map(describe),
        unreadable.length === 0
          ? `Verified ${counted(checked, "value")}: all can be read.`
          : `${unreadable.length.toLocaleString("en-US")} of ${counted(checked, "value")} cannot be read.`,
      ],
    };
  },
};

function* unreadableOf(snapshot: Snapshot, keyring: Keyring, report: Report): Generator<Unreadable> {
  const total = snapshot.count();
  let done = 0;
  for (const { id, name, owner, ciphertext } of snapshot.secrets()) {
    const problem = problemOf(() => keyring.open(ciphertext, secretAad(owner, name)));
    if (problem) yield { kind: "secret", id, name, scope: owner.scope, ownerId: ownerId(owner), problem };
    report(++done, total);
  }
  for (const { secretId: id, number: version, ciphertext } of snapshot.secretVersions()) {
    const problem = problemOf(() => keyring.open(ciphertext, secretVersionAad(id, version)));
    if (problem) yield { kind: "secretVersion", id, version, problem };
    report(++done, total);
  }
  for (const { id, name, groupId, groupName, lookup, ciphertext } of snapshot.apiKeys()) {
    const problem = problemOf(() => {
      const value = keyring.open(ciphertext, apiKeyAad(groupId, name)).reveal();
      // Otherwise a call with this key would be rejected, or attributed to another key.
      if (!equal(snapshot.lookupOf(keyring, value), lookup)) {
        throw new DecryptionError("It cannot be found by its own value.");
      }
    });
    if (problem) yield { kind: "apiKey", id, name, groupId, groupName, problem };
    report(++done, total);
  }
}

function problemOf(read: () => unknown): string | undefined {
  try {
    read();
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error;
    return error.message;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function describe(value: Unreadable): string {
  if (value.kind === "secretVersion") return `Version ${value.version} of secret ${value.id}: ${value.problem}`;
  // Names are data: they must not control the terminal.
  const name = JSON.stringify(value.name);
  const what = value.kind === "apiKey"
    ? `API key ${value.id} ${name} of group ${JSON.stringify(value.groupName)}`
    : `Secret ${value.id} ${name} of ${
      value.scope === "global" ? "the global scope" : `${value.scope} ${value.ownerId}`
    }`;
  return `${what}: ${value.problem}`;
}

const PROGRESS_INTERVAL_MS = 100;

const rotate: Command = {
  name: "keyring rotate",
  help: [
    "Make a new key current and re-encrypt everything with it.",
    "The server must be stopped; a running one rotates by POST /api/encryption-keys/rotation. Resumes a rotation that",
    "was interrupted. Exit code 1 if a value could not be read; it stays as it is.",
  ],
  run(context) {
    refuseNode(context, "Ask a node to rotate by POST /api/encryption-keys/rotation.");
    return withFolder(context, "Ask it to rotate by POST /api/encryption-keys/rotation.", async () => {
      const { currentVersion, reencrypted, unreadable } = await context.progress(
        "Rotating",
        (report) => rotateAll(context, report),
      );
      return {
        code: unreadable.values > 0 ? EXIT.failed : EXIT.ok,
        json: { currentVersion, reencrypted, unreadable },
        lines: [
          `Version ${currentVersion} is current; ${counted(reencrypted, "value")} re-encrypted.`,
          ...(unreadable.values > 0 ? [describeUnreadable(unreadable)] : []),
        ],
      };
    });
  },
};

async function rotateAll(context: Context, report: Report): Promise<RotationOutcome> {
  const { database, keyFile, config, now } = context;
  const file = new KeyFile(keyFile, config.keyringPassphrase);
  const store = openStore(database, file, { warn: context.note, note: context.note });
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    const record = recorder(context, store, file.keyring);
    const settings = createSettings({ store, check: () => undefined, record });
    const rotation = new Rotation({
      store,
      keyFile: file,
      settings: {
        ...settings.view({
          intervalDays: "encryption.key-rotation.interval-days",
          batchSize: "encryption.key-rotation.batch-size",
          keepDays: "encryption.retired-keys.keep-days",
        }),
        // No requests have to be served meanwhile.
        batchSleepMs: () => 0,
      },
      now: () => now().getTime(),
      report: () => {},
      record,
      busy: () => false,
    });
    timer = setInterval(() => {
      const { progress } = rotation.status();
      if (progress) report(progress.done, progress.total);
    }, PROGRESS_INTERVAL_MS);
    return await rotation.rotate(OPERATOR);
  } finally {
    clearInterval(timer);
    store.close();
  }
}

const passphrase: Command = {
  name: "keyring passphrase",
  options: {
    "new-passphrase-file": { type: "string", value: "FILE", help: "a file that contains the new passphrase" },
    remove: { type: "boolean", help: "remove the passphrase" },
  },
  help: [
    "Add, change or remove the passphrase of the key file.",
    "The server must be stopped, except for a node of a cluster: with DATABASE_URL, the passphrase is changed for all",
    "nodes, each of which needs the new one at its next start. The current passphrase is taken from KEYRING_PASSPHRASE or KEYRING_PASSPHRASE_FILE,",
    "the new one from --new-passphrase-file, NEW_KEYRING_PASSPHRASE or NEW_KEYRING_PASSPHRASE_FILE.",
  ],
  run(context, { options }) {
    const wanted = newPassphrase(context, options);
    if (context.config.cluster) return changeInCluster(context, context.config.cluster, wanted);
    refuseNode(context, "Set DATABASE_URL, so that the passphrase is changed for the whole cluster.");
    return withFolder(context, "Stop the server before you change the passphrase.", () => {
      const file = new KeyFile(context.keyFile, context.config.keyringPassphrase);
      const was = file.isWrapped;
      const change = wanted ? (was ? "changed" : "added") : (was ? "removed" : "none");
      if (change !== "none") {
        // Recorded first, as a change of the file cannot be rolled back together with an entry.
        if (existsSync(context.database)) recordIn(context, context.database, file, passphraseChange(change));
        file.wrapWith(wanted);
      }
      if (wanted) {
        context.note("Start the server with KEYRING_PASSPHRASE_FILE or KEYRING_PASSPHRASE set to the new one.");
      }
      const lines = {
        added: `${context.keyFile} is now encrypted with the new passphrase. Earlier copies are not.`,
        changed: `${context.keyFile} is now encrypted with the new passphrase. Earlier copies need the old one.`,
        removed: `${context.keyFile} is no longer encrypted with a passphrase.`,
        none: `${context.keyFile} has no passphrase.`,
      };
      return { json: { keyFile: context.keyFile, wrapped: file.isWrapped, change }, lines: [lines[change]] };
    });
  },
};

/** @throws UsageError without a new passphrase */
async function changeInCluster(
  context: Context,
  config: ClusterConfig,
  wanted: Passphrase | undefined,
): Promise<Result> {
  if (!wanted) throw new UsageError("A cluster needs a passphrase: its keys are in PostgreSQL.");
  const { openCluster } = await import("../cluster/open_cluster.ts");
  const { changePassphrase } = await import("../cluster/keyring/passphrase_change.ts");
  const folder = mkdtempSync(join(tmpdir(), "crude-functions-"));
  try {
    let file: KeyFile | undefined;
    await using cluster = await openCluster(config, (stored) => {
      const path = join(folder, "encryption-keys.json");
      file = openClusterKeyring({ path, stored, passphrase: context.config.keyringPassphrase });
      return file.keyring;
    });
    await changePassphrase(cluster, file!, wanted);
  } finally {
    rmSync(folder, { recursive: true });
  }
  context.note("Set KEYRING_PASSPHRASE_FILE or KEYRING_PASSPHRASE of all nodes to the new one, and restart them soon.");
  return {
    json: { cluster: true, wrapped: true, change: "changed" },
    lines: ["The keyring of the cluster is now encrypted with the new passphrase. Earlier copies need the old one."],
  };
}

/** Returns the new passphrase; undefined to remove it. */
function newPassphrase(context: Context, options: Given["options"]): Passphrase | undefined {
  const path = options["new-passphrase-file"];
  const [fromFile, fromEnv] = [
    typeof path === "string" ? passphraseOfFile("--new-passphrase-file", path, context.cwd) : undefined,
    context.newPassphrase(),
  ];
  const given = [fromFile, fromEnv, options.remove].filter(Boolean).length;
  if (given === 1) return fromFile ?? fromEnv;
  throw new UsageError(
    given === 0
      ? "Give the new passphrase by --new-passphrase-file or NEW_KEYRING_PASSPHRASE, or give --remove."
      : "Give only one of --new-passphrase-file, NEW_KEYRING_PASSPHRASE and --remove.",
  );
}

export const keyringCommands: readonly Command[] = [status, verify, rotate, passphrase];
