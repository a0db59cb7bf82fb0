// Changes the keyring of a cluster by entries of its log: each holds the whole key file, encrypted with the passphrase,
// which every node puts on disk and then in use before it applies later entries.

import type { Passphrase } from "../../config.ts";
import type { KeyChanges } from "../../core/encryption/key_changes.ts";
import { AppError } from "../../errors.ts";
import { type KeyFile, type KeyFileDraft, PassphraseChangedError } from "../../keyring/key_file.ts";
import type { Entry, NewEntry } from "../log/change_log.ts";

/**
 * Appends an entry of `compose`, which is called when nothing else can change until the entry is there, and resolves when
 * every live node has applied it; without one, appends nothing.
 */
export type AppendKeyring = (compose: () => Pick<NewEntry, "body" | "summary"> | undefined) => Promise<void>;

export interface KeyringChangesOptions {
  readonly append: AppendKeyring;
  readonly keyFile: KeyFile;
  readonly report: (level: "warn", message: string) => void;
}

export interface KeyringChanges extends KeyChanges {
  /** Encrypts the keyring with another passphrase, which each node needs at its next start. */
  changePassphrase(passphrase: Passphrase): Promise<void>;
  /**
   * Applies an entry of kind `keyring`: when this returns, the file is on disk. An earlier one changes nothing.
   * @throws AppError PassphraseChanged (503) if this node needs a new passphrase for it
   */
  apply(entry: Pick<Entry, "body">): void;
}

export function createKeyringChanges(options: KeyringChangesOptions): KeyringChanges {
  const { keyFile, report } = options;
  const append: AppendKeyring = (compose) => options.append(() => needingPassphrase(compose));
  const entry = (draft: KeyFileDraft, what: string) => ({
    body: new TextEncoder().encode(draft.text),
    summary: `keyring revision ${draft.revision}: ${what}`,
  });

  return {
    async add(now, last, taken) {
      await append(() => {
        if (keyFile.pendingVersion !== undefined) return undefined;
        const draft = keyFile.withKey(now, last(), taken());
        return entry(draft, `key ${draft.version} added`);
      });
      // Every live node now has it on disk; any other gets it before a value that it encrypts.
      await append(() => {
        const version = keyFile.pendingVersion;
        return version === undefined ? undefined : entry(keyFile.withCurrent(version), `key ${version} is current`);
      });
    },

    async drop(unused) {
      let versions: readonly number[] = [];
      await append(() => {
        versions = unused();
        if (versions.length === 0) return undefined;
        return entry(keyFile.withoutKeys(versions), `unused keys dropped: ${versions.length}`);
      });
      return versions;
    },

    changePassphrase: (passphrase) => append(() => entry(keyFile.withPassphrase(passphrase), "new passphrase")),

    apply({ body }) {
      const had = keyFile.hasNewPassphrase;
      needingPassphrase(() => keyFile.adopt(new TextDecoder().decode(body)));
      if (had || !keyFile.hasNewPassphrase) return;
      report("warn", "The passphrase of the keyring was changed. This server needs the new one at its next start.");
    },
  };
}

/** Runs `work`, which uses the passphrase. @throws AppError PassphraseChanged (503) if it is no longer the cluster's */
function needingPassphrase<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof PassphraseChangedError) throw new AppError("PassphraseChanged", 503, error.message);
    throw error;
  }
}
