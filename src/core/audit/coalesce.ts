// What strangers and handlers can cause as often as they like is told once, and then summed up, so that nobody can
// fill the audit. The first time is stored at once; a crash loses the count of at most a minute.

import type { Action, Actor, AuditEvent, Recorder, Subject } from "../../actor.ts";

const REPEATABLE: readonly Action[] = ["sign-in.failed", "sign-in.locked", "response.leaked", "response.blocked"];
const WINDOW_MS = 60_000;
/** Told apart in one window, of each action; the rest is counted together. */
const TOLD_APART_MAX = 20;
/** Of accounts that one sum names. */
const IDS_MAX = 20;

export function isRepeatable(action: Action): boolean {
  return REPEATABLE.includes(action);
}

interface Repetition {
  /** The latest. */
  actor: Actor;
  event: AuditEvent;
  count: number;
  readonly ids: Set<Subject["id"]>;
}

/** `append` gets the first of each kind at once, and the sum of the others when the window is over. */
export function createRepetitions(append: Recorder, windowMs = WINDOW_MS) {
  let windows = new Map<Action, Map<string, Repetition>>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const over = windows;
    windows = new Map();
    for (const window of over.values()) {
      for (const repetition of window.values()) if (repetition.count > 0) append(repetition.actor, sumOf(repetition));
    }
  };

  return {
    add(actor: Actor, event: AuditEvent): void {
      if (timer === undefined) {
        timer = setTimeout(flush, windowMs);
        Deno.unrefTimer(timer);
      }
      let window = windows.get(event.action);
      if (!window) windows.set(event.action, window = new Map());
      const key = keyOf(actor, event);
      const known = window.get(key);
      if (known) {
        Object.assign(known, { actor, event, count: known.count + 1 });
        if (known.ids.size < IDS_MAX) known.ids.add(event.subject.id);
      } else if (window.size < TOLD_APART_MAX) {
        window.set(key, { actor, event, count: 0, ids: new Set() });
        append(actor, event);
      } else {
        const { subject: { kind }, action } = event;
        const sum: AuditEvent = { action, subject: { kind, id: null, name: "" }, after: { from: "several others" } };
        const count = (window.get("")?.count ?? 0) + 1;
        window.set("", { actor: { kind: "server" }, event: sum, count, ids: new Set([null]) });
      }
    },

    /** Ends the window. */
    close: flush,
  };
}

/**
 * What is one and the same; never "". Failures to sign in are told apart by their address alone: if the account
 * counted, the time that storing takes would tell a stranger which accounts there are.
 */
function keyOf(actor: Actor, { action, subject }: AuditEvent): string {
  const address = "address" in actor ? actor.address : null;
  return JSON.stringify(action.startsWith("sign-in.") ? [address] : [subject.kind, subject.id]);
}

function sumOf({ event, count, ids }: Repetition): AuditEvent {
  const after = { ...event.after, repeated: count };
  if (ids.size === 1) return { ...event, after };
  const subject = { kind: event.subject.kind, id: null, name: "" };
  return { ...event, subject, after: { ...after, ids: [...ids].filter((id) => id !== null) } };
}
