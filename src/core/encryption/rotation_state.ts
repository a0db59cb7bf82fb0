// Stores the state of rotations in the database. It does not list which values are still to be re-encrypted: each
// ciphertext contains its own version.

import { z } from "zod";
import type { MetaStore } from "../../store/settings.ts";

const META = "rotation";

/** Milliseconds since 1970 UTC. */
const time = z.int();

const stateSchema = z.strictObject({
  /** The version that the last finished rotation made current. */
  completed: z.int().min(1),
  completedAt: time,
  /** The highest version that ever existed, in case an older key file is restored. */
  highest: z.int().min(1),
  /** The rotation that has started and not finished. */
  running: z.strictObject({ target: z.int().min(1), total: z.int().min(0) }).nullable(),
  /** Old versions that no value uses any longer, and since when. */
  retired: z.array(z.strictObject({ version: z.int().min(1), since: time })),
});

export type RotationState = z.infer<typeof stateSchema>;

/** Returns the stored state, or undefined before the first rotation. */
export function readState(meta: Pick<MetaStore, "get">): RotationState | undefined {
  const stored = meta.get(META);
  return stored === undefined ? undefined : stateSchema.parse(JSON.parse(stored));
}

export function writeState(meta: MetaStore, state: RotationState): void {
  meta.put(META, JSON.stringify(state));
}
