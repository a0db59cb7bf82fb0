// Opens the key file of a node, which every node of a cluster has. PostgreSQL keeps the newest one, encrypted with the
// passphrase, so that a new node can open it before it can check anything else; it contains its own MAC.

import { existsSync } from "node:fs";
import type { Passphrase } from "../../config.ts";
import { KeyFile, KeyFileError, openKeyFile, writeKeyFile } from "../../keyring/key_file.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { readState } from "../../core/encryption/rotation_state.ts";
import type { MetaStore } from "../../store/settings.ts";

/** How messages name what is in PostgreSQL. */
const SOURCE = "The keyring in PostgreSQL";

export interface ClusterKeyringOptions {
  /** Path of the key file of this node. */
  readonly path: string;
  /** The newest key file in PostgreSQL, which was not checked. */
  readonly stored: Uint8Array;
  readonly passphrase: Passphrase | undefined;
}

/**
 * Opens the key file of a node, and takes the one from PostgreSQL if the node has none, an earlier one, or one with an
 * earlier passphrase.
 * @throws KeyFileError if there is no passphrase or a wrong one, or if the keyring in PostgreSQL is another one than this
 *   node's, or was altered
 */
export function openClusterKeyring({ path, stored, passphrase }: ClusterKeyringOptions): KeyFile {
  const required = requirePassphrase(passphrase);
  const text = new TextDecoder().decode(stored);
  const take = () => {
    try {
      return writeKeyFile(path, text, required, SOURCE);
    } catch (error) {
      if (!(error instanceof KeyFileError)) throw error;
      throw new KeyFileError(`${error.message} All nodes of a cluster have the same passphrase.`);
    }
  };
  if (!existsSync(path)) return take();
  let file: KeyFile;
  try {
    file = new KeyFile(path, required);
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    // The passphrase was changed while this node did not run. The database next to it shows whether it is its keyring.
    return take();
  }
  file.adopt(text);
  return file;
}

/**
 * Creates the key file of a new cluster, or makes an existing one that of a cluster. Its text is to be the first entry of
 * the log.
 * @throws KeyFileError if there is no passphrase or a wrong one
 */
export function createClusterKeyring(
  { path, passphrase, now }: { path: string; passphrase: Passphrase | undefined; now: Date },
): { keyFile: KeyFile; body: Uint8Array } {
  const required = requirePassphrase(passphrase);
  const single = openKeyFile(path, false, now, required);
  // Of an attempt that was interrupted.
  const text = single.revision > 0 ? Deno.readTextFileSync(path) : single.asFirstRevision(required).text;
  const keyFile = single.revision > 0 ? single : writeKeyFile(path, text, required, path);
  return { keyFile, body: new TextEncoder().encode(text) };
}

/** @throws KeyFileError if `passphrase` is undefined */
export function requirePassphrase(passphrase: Passphrase | undefined): Passphrase {
  if (passphrase) return passphrase;
  throw new KeyFileError(
    "A cluster keeps its encryption keys in PostgreSQL, encrypted with a passphrase: set KEYRING_PASSPHRASE_FILE or " +
      "KEYRING_PASSPHRASE, to the same on all nodes.",
  );
}

/**
 * Checks, once a node has applied the log, that its keyring is not an earlier one that was put back: it would encrypt new
 * values with a key that other nodes may have dropped.
 * @throws KeyFileError
 */
export function requireNewestKeyring(keyring: Keyring, meta: Pick<MetaStore, "get">): void {
  const state = readState(meta);
  const expected = Math.max(state?.completed ?? 1, state?.running?.target ?? 1);
  if (keyring.currentVersion >= expected) return;
  throw new KeyFileError(
    `${SOURCE} is older than the rest: its current key is version ${keyring.currentVersion}, and values were ` +
      `encrypted with version ${expected}. Restore the table keyring from a backup of PostgreSQL, or start a node that ` +
      "still has the newest key file in its DATA_DIR.",
  );
}
