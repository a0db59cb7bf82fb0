// Counts encryptions under the current key. Random nonces of 96 bits allow 2^32 encryptions under one key
// (NIST SP 800-38D, 8.3), on all nodes together.

import { z } from "zod";
import type { Store } from "../../store/store.ts";
import type { Keyring } from "../../keyring/keyring.ts";

/** A key is replaced after this many encryptions, a quarter of what is allowed. */
export const SEALS_MAX = 2 ** 30;

/** Reserved in advance, so that not every encryption costs a write; after a crash the count is too high by at most this. */
const BLOCK = 2 ** 16;
const META = "seal-count";

const storedSchema = z.strictObject({ version: z.int(), reserved: z.int().min(0) });

/** The part of the store that holds the counts. */
export interface CountStore extends Pick<Store, "commit" | "inTransaction"> {
  readonly meta: Pick<Store["meta"], "get" | "put" | "startingWith">;
}

/**
 * Counts what `keyring` encrypts from now on; the returned function returns the count of the current version. Each node
 * of a cluster has a count of its own, so that none overwrites another's, and the sum of all is returned: what this node
 * used and what others have reserved.
 */
export function countSeals(keyring: Keyring, { meta, commit, inTransaction }: CountStore, node?: string): () => number {
  const name = node === undefined ? META : `${META}:${node}`;
  const stored = meta.get(name);
  let { version, reserved } = stored ? storedSchema.parse(JSON.parse(stored)) : { version: 0, reserved: 0 };
  let used = reserved;

  keyring.countSeals((sealing) => {
    if (sealing !== version) [version, reserved, used] = [sealing, 0, 0];
    // At half a block, not at its end: this write is part of the caller's transaction and is rolled back with it.
    if (used + BLOCK / 2 >= reserved) {
      reserved = used + BLOCK;
      const stored = JSON.stringify({ version, reserved });
      const store = () => meta.put(name, stored);
      if (inTransaction()) store();
      // If it fails, the next half of a block stores more.
      else void commit(store).catch(() => {});
    }
    used++;
  });

  return () => {
    const current = keyring.currentVersion;
    const others = meta.startingWith(META).filter((row) => row.name !== name)
      .map(({ value }) => storedSchema.parse(JSON.parse(value)))
      .filter((count) => count.version === current)
      .reduce((sum, { reserved }) => sum + reserved, 0);
    return others + (version === current ? used : 0);
  };
}
