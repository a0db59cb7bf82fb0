// What the database remembers of rotations. Which values are still to be re-encrypted is not part of it:
// each ciphertext tells its own version.

import { z } from "zod";
import type { MetaStore } from "../../store/settings.ts";

const META = "rotation";

/** Milliseconds since 1970 UTC. */
const time = z.int();

const stateSchema = z.strictObject({
  /** The version that the last finished rotation led to. */
  completed: z.int().min(1),
  completedAt: time,
  /** The highest version there ever was, for the case that the key file is put back from before it. */
  highest: z.int().min(1),
  /** The rotation that has begun and not finished. */
  running: z.strictObject({ target: z.int().min(1), total: z.int().min(0) }).nullable(),
  /** Old versions that no value uses any more, with the time since when. */
  retired: z.array(z.strictObject({ version: z.int().min(1), since: time })),
});

export type RotationState = z.infer<typeof stateSchema>;

/** What is stored, or undefined before the first rotation. */
export function readState(meta: MetaStore): RotationState | undefined {
  const stored = meta.get(META);
  return stored === undefined ? undefined : stateSchema.parse(JSON.parse(stored));
}

export function writeState(meta: MetaStore, state: RotationState): void {
  meta.put(META, JSON.stringify(state));
}
