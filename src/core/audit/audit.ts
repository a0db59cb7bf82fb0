// The audit: who changed or saw what, when and from where. Adds entries within the transactions of the changes
// that they tell of, and reads them. Nothing on the way of a call to /run comes here.

import { type Actor, type AuditEvent, type Recorder, SERVER } from "../../actor.ts";
import { messageOf } from "../../errors.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { AuditFilter, AuditRow } from "../../store/audit.ts";
import type { Store } from "../../store/store.ts";
import { AUDIT_KEY, type AuditHead, BROKEN, macOf, openHead, sealHead, signer } from "./chain.ts";
import { createRepetitions, isRepeatable } from "./coalesce.ts";

export const HEAD = "audit-head";
/** Of a name; longer ones are cut. File paths may be this long. */
const NAME_MAX_LENGTH = 1_000;
/** Of what is told as JSON; beyond it, its size is told instead. Ids of a thousand secrets fit. */
const FACTS_MAX_LENGTH = 32_768;

export type Audit = ReturnType<typeof createAudit>;

export interface AuditParts {
  readonly store: Pick<Store, "audit" | "meta" | "transaction">;
  readonly keyring: Pick<Keyring, "derive">;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Hears that somebody tampered with the audit, or that it cannot be written. */
  readonly warn: (message: string) => void;
}

/** A response that held values which its call was given. */
export interface LeakyResponse {
  readonly functionId: number;
  readonly functionName: string;
  readonly requestId: string;
  /** Of the secrets. */
  readonly names: readonly string[];
  readonly blocked: boolean;
}

export function createAudit({ store, keyring, now, warn }: AuditParts) {
  const sign = signer(keyring.derive(AUDIT_KEY));

  const add = (actor: Actor, event: AuditEvent, { count, mac }: AuditHead): AuditHead => {
    const row = { id: count + 1, at: now(), ...whoColumns(actor), ...eventColumns(event) };
    const added = { count: row.id, mac: macOf(row, mac, sign) };
    store.audit.add({ ...row, mac: added.mac });
    return added;
  };

  const mark = (action: "audit.started" | "audit.broken", follows: AuditHead): AuditHead =>
    add(SERVER, { action, subject: { kind: "audit", id: null, name: "" } }, follows);

  /** What the next entry follows. By the stored head alone: entries missing at the end leave a gap for ever. */
  const headToFollow = (): AuditHead => {
    const stored = store.meta.get(HEAD);
    const lastId = store.audit.lastId();
    const head = stored === undefined ? undefined : openHead(stored, sign);
    if (head && head.count >= lastId) return head;
    if (stored === undefined && lastId === 0) return mark("audit.started", { count: 0, mac: "" });
    warn(
      `The audit was tampered with: its head is gone or altered. It goes on with entry ${lastId + 1}, which says so.`,
    );
    return mark("audit.broken", { count: lastId, mac: BROKEN });
  };

  const append: Recorder = (actor, event) => {
    store.transaction(() => {
      const head = add(actor, event, headToFollow());
      store.meta.put(HEAD, sealHead(head, sign));
    });
  };
  const repetitions = createRepetitions(append);

  /** What others can flood is summed up; the rest has an entry each. */
  const record: Recorder = (actor, event) => {
    if (isRepeatable(event.action)) repetitions.add(actor, event);
    else append(actor, event);
  };

  return {
    record,

    /** Tells of it behind the call, which neither waits for this nor fails with it. */
    recordLeak({ functionId, functionName, requestId, names, blocked }: LeakyResponse): void {
      const event: AuditEvent = {
        action: blocked ? "response.blocked" : "response.leaked",
        subject: { kind: "function", id: functionId, name: functionName },
        after: { secrets: names, requestId },
      };
      setTimeout(() => {
        try {
          record(SERVER, event);
        } catch (error) {
          warn(
            `The audit could not be told of a response of "${functionName}" with secrets in it: ${messageOf(error)}`,
          );
        }
      }, 0);
    },

    /** Begins the audit of a database that has none, and looks whether the end of the one that is there fits. */
    start(): void {
      const head = store.transaction(() => {
        const head = headToFollow();
        store.meta.put(HEAD, sealHead(head, sign));
        return head;
      });
      const [last] = store.audit.following(head.count - 1, head.count, 1);
      if (last?.mac !== head.mac) {
        warn("The audit was tampered with: its end does not fit. See what `deno task cli audit verify` finds.");
      }
    },

    /** Entries older than the one with id `before`, newest first, at most `limit`; `next` if there are more. */
    list(filter: AuditFilter, before: number, limit: number): { entries: AuditRow[]; next: number | undefined } {
      const found = store.audit.page(filter, before, limit + 1);
      return { entries: found.slice(0, limit), next: found.length > limit ? found[limit - 1]!.id : undefined };
    },

    /** Entries after the one with id `after` up to `upTo`, oldest first, at most `limit`. */
    following: (after: number, upTo: number, limit: number): AuditRow[] => store.audit.following(after, upTo, limit),

    /** The head as it is stored, as JSON; undefined before the first entry. */
    head: (): string | undefined => store.meta.get(HEAD),

    /** Adds what was summed up so far. */
    close: repetitions.close,
  };
}

function whoColumns(actor: Actor) {
  const origin = "address" in actor ? actor : undefined;
  const named = actor.kind === "key" || actor.kind === "admin" ? actor : undefined;
  return {
    actorKind: actor.kind,
    actorId: named ? clean(String(named.id)) : null,
    actorName: named ? clean(named.name) : null,
    actorGroup: actor.kind === "key" ? clean(actor.group) : null,
    address: origin ? clean(origin.address) : null,
    requestId: origin ? clean(origin.requestId) : null,
  };
}

function eventColumns({ action, subject, before, after }: AuditEvent) {
  return {
    action,
    subjectKind: clean(subject.kind),
    subjectId: subject.id === null ? null : clean(String(subject.id)),
    subjectName: clean(subject.name),
    before: factsText(before),
    after: factsText(after),
  };
}

/** Text that SQLite gives back as it is: it cuts at a NUL and has no half surrogates; the MAC would not fit. */
function clean(text: string): string {
  return text.slice(0, NAME_MAX_LENGTH).replaceAll("\0", "\ufffd").toWellFormed();
}

function factsText(facts: AuditEvent["after"]): string | null {
  if (!facts) return null;
  const text = JSON.stringify(facts);
  return text.length <= FACTS_MAX_LENGTH ? text : JSON.stringify({ tooLarge: `${text.length} characters of JSON` });
}
