// Coalesces audit events that unauthenticated clients or handlers can trigger at will, so that they cannot flood the
// audit. The first event of its kind is stored at once; a crash loses the count of at most a minute.

import { MINUTE_MS } from "../../time.ts";
import type { Action, Actor, AuditEvent, LoneRecorder, Subject } from "../../actor.ts";

const COALESCED: readonly Action[] = [
  "sign-in.failed",
  "sign-in.locked",
  "response.leaked",
  "response.blocked",
  "secret.canary",
];
const WINDOW_MS = MINUTE_MS;
/** Distinct events of each action in one window; all others are counted together. */
const DISTINCT_MAX = 20;
/** Subjects that one entry lists. */
const IDS_MAX = 20;

/** Reports whether events of this action are coalesced. */
export function isCoalesced(action: Action): boolean {
  return COALESCED.includes(action);
}

interface Repetition {
  /** Of the latest event. */
  actor: Actor;
  event: AuditEvent;
  count: number;
  readonly ids: Set<Subject["id"]>;
}

export interface Coalescer {
  /** Records the first event of its kind in a window at once, and counts the others. */
  add(actor: Actor, event: AuditEvent): Promise<void>;
  /** Ends the window: records the counts. */
  close(): Promise<void>;
}

/**
 * `append` is called with the first event of each kind, and with the sum of the others at the end of the window;
 * `failed` with the error of a sum that could not be recorded.
 */
export function createCoalescer(
  append: LoneRecorder,
  failed: (error: unknown) => void,
  windowMs = WINDOW_MS,
): Coalescer {
  let windows = new Map<Action, Map<string, Repetition>>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const over = windows;
    windows = new Map();
    const repetitions = [...over.values()].flatMap((window) => [...window.values()]).filter(({ count }) => count > 0);
    await Promise.all(repetitions.map((repetition) => append(repetition.actor, sumOf(repetition)).catch(failed)));
  };

  return {
    async add(actor: Actor, event: AuditEvent): Promise<void> {
      if (timer === undefined) {
        timer = setTimeout(() => void flush(), windowMs);
        Deno.unrefTimer(timer);
      }
      let window = windows.get(event.action);
      if (!window) windows.set(event.action, window = new Map());
      const key = keyOf(actor, event);
      const known = window.get(key);
      if (known) {
        Object.assign(known, { actor, event, count: known.count + 1 });
        if (known.ids.size < IDS_MAX) known.ids.add(event.subject.id);
      } else if (window.size < DISTINCT_MAX) {
        window.set(key, { actor, event, count: 0, ids: new Set() });
        await append(actor, event);
      } else {
        const { subject: { kind }, action } = event;
        const sum: AuditEvent = { action, subject: { kind, id: null, name: "" }, after: { from: "several others" } };
        const count = (window.get("")?.count ?? 0) + 1;
        window.set("", { actor: { kind: "server" }, event: sum, count, ids: new Set([null]) });
      }
    },

    close: flush,
  };
}

/**
 * Returns what identifies events of one kind; never "". Failed sign-ins are distinguished by their address alone: if
 * the account counted, the time that storing takes would reveal to a client which accounts exist.
 */
function keyOf(actor: Actor, { action, subject, after }: AuditEvent): string {
  const address = "address" in actor ? actor.address : null;
  if (action.startsWith("sign-in.")) return JSON.stringify([address]);
  // Who read a canary matters as much as that it was read.
  const reader = action === "secret.canary" ? [actor.kind, "id" in actor ? actor.id : null, after] : [];
  return JSON.stringify([subject.kind, subject.id, ...reader]);
}

function sumOf({ event, count, ids }: Repetition): AuditEvent {
  const after = { ...event.after, repeated: count };
  if (ids.size === 1) return { ...event, after };
  const subject = { kind: event.subject.kind, id: null, name: "" };
  return { ...event, subject, after: { ...after, ids: [...ids].filter((id) => id !== null) } };
}
