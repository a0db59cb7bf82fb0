// Counts encryptions under the current key. Random nonces of 96 bits allow 2^32 encryptions under one key
// (NIST SP 800-38D, 8.3).

import { z } from "zod";
import type { MetaStore } from "../../store/settings.ts";
import type { Keyring } from "../../keyring/keyring.ts";

/** A key is replaced after this many encryptions, a quarter of what is allowed. */
export const SEALS_MAX = 2 ** 30;

/** Reserved in advance, so that not every encryption costs a write; after a crash the count is too high by at most this. */
const BLOCK = 2 ** 16;
const META = "seal-count";

const storedSchema = z.strictObject({ version: z.int(), reserved: z.int().min(0) });

/** Counts what `keyring` encrypts from now on; the returned function returns the count of the current version. */
export function countSeals(keyring: Keyring, meta: MetaStore): () => number {
  const stored = meta.get(META);
  let { version, reserved } = stored ? storedSchema.parse(JSON.parse(stored)) : { version: 0, reserved: 0 };
  let used = reserved;

  keyring.countSeals((sealing) => {
    if (sealing !== version) [version, reserved, used] = [sealing, 0, 0];
    // At half a block, not at its end: this write is part of the caller's transaction and is rolled back with it.
    if (used + BLOCK / 2 >= reserved) {
      const wanted = used + BLOCK;
      meta.put(META, JSON.stringify({ version, reserved: wanted }));
      reserved = wanted;
    }
    used++;
  });

  return () => version === keyring.currentVersion ? used : 0;
}
