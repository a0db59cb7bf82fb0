// Changes which encryption keys there are, on a single server or on all nodes of a cluster.

import type { KeyFile } from "../../keyring/key_file.ts";
import { attempt } from "../../store/attempt.ts";

export interface KeyChanges {
  /**
   * Makes a new key current, or one that an interrupted call has added. Its version is above `last` and none of `taken`,
   * which may be called several times. Resolves once everything that encrypts has it on disk and uses it.
   * @throws errors of the file system, after which the old key is still current
   */
  add(now: Date, last: () => number, taken: () => readonly number[]): Promise<void>;
  /**
   * Permanently deletes keys. `unused` returns those that nothing needs, and is called when nothing can change that any
   * more. Resolves with what it returned last.
   */
  drop(unused: () => readonly number[]): Promise<readonly number[]>;
}

/** Returns what changes the keys of a single server. */
export function keyChangesOf(keyFile: KeyFile): KeyChanges {
  return {
    add: (now, last, taken) => attempt(() => void keyFile.addKey(now, last(), taken())),
    drop: (unused) =>
      attempt(() => {
        const versions = unused();
        keyFile.dropKeys(versions);
        return versions;
      }),
  };
}
