// Checks again and again, while a long answer is read, that its reader may still have it.

import { type Actor, requireEntitled } from "../../actor.ts";
import type { Serving } from "../../serving.ts";

/**
 * @throws AppError EntitlementLost (401, 403); one of 503 on a node that is cut off, as it would not know that a key was
 *   revoked, or a session ended, on another one
 */
export function requireReader(actor: Actor, serving: Serving | undefined): void {
  requireEntitled(actor);
  const refusal = serving?.refusal();
  if (refusal) throw refusal;
}

/** Reports whether `requireReader` throws nothing. */
export function mayRead(actor: Actor, serving: Serving | undefined): boolean {
  try {
    requireReader(actor, serving);
    return true;
  } catch {
    return false;
  }
}
