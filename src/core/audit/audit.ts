// Implements the audit: who changed or saw what, when and from where. Entries are added within the transactions of the
// changes that they describe. A call of /run waits for nothing here.

import { type Actor, type AuditEvent, type LoneRecorder, type Recorder, SERVER } from "../../actor.ts";
import { messageOf, reasonOf } from "../../errors.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { AuditFilter, AuditRow } from "../../store/audit.ts";
import { pageOf } from "../../paging.ts";
import type { Store } from "../../store/store.ts";
import { AUDIT_KEY, type AuditHead, BROKEN, createSigner, macOf, openHead, sealHead, type Sign } from "./chain.ts";
import { type Coalescer, createCoalescer, isCoalesced } from "./coalesce.ts";

export const HEAD = "audit-head";
/** Longer names are truncated. File paths may be this long. */
const NAME_MAX_LENGTH = 1_000;
/** Of facts as JSON; larger facts are replaced by their size. The ids of a thousand secrets fit. */
const FACTS_MAX_LENGTH = 32_768;

export interface Audit {
  readonly record: Recorder;
  readonly recordAlone: LoneRecorder;

  /** Records a leak after the call, which neither waits for this nor fails because of it. */
  recordLeak(response: LeakyResponse): void;

  /** Starts the audit of a new database, or checks that the head matches the last entry. */
  start(): Promise<void>;

  /** Returns at most `limit` entries with an id below `before`, newest first; `next` is set if there are more. */
  list(filter: AuditFilter, before: number, limit: number): { entries: AuditRow[]; next: number | undefined };

  /** Returns at most `limit` entries with an id above `after` and up to `upTo`, oldest first. */
  following(after: number, upTo: number, limit: number): AuditRow[];

  /** Returns those of these entries that match, oldest first; see `AuditStore.matching`. */
  matching(filter: AuditFilter, after: number, upTo: number, limit: number): AuditRow[];

  /** Returns the stored head as JSON; undefined before the first entry. */
  head(): string | undefined;

  /** Adds the entries of events that are still being coalesced. */
  close(): Promise<void>;
}

export interface AuditParts {
  readonly store: Pick<Store, "audit" | "meta" | "transaction" | "commit">;
  readonly keyring: Pick<Keyring, "derive">;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called when the audit was tampered with or cannot be written. */
  readonly warn: (message: string) => void;
}

/** A response that contained values of secrets which its call had been given. */
export interface LeakyResponse {
  readonly functionId: number;
  readonly functionName: string;
  readonly requestId: string;
  /** Names of the secrets; if the response could not be searched, all that the call was given, or none. */
  readonly names: readonly string[];
  /** Whether the response was withheld or aborted. */
  readonly blocked: boolean;
}

export function createAudit(options: AuditParts): Audit {
  return new AuditService(options);
}

class AuditService implements Audit {
  readonly #store: AuditParts["store"];
  readonly #keyring: Pick<Keyring, "derive">;
  readonly #now: () => number;
  readonly #warn: (message: string) => void;
  readonly #sign: Sign;
  readonly record: Recorder = (actor, event) => {
    this.#store.transaction(() => {
      const head = this.#add(actor, event, this.#headToFollow());
      this.#store.meta.put(HEAD, sealHead(head, this.#sign));
    });
  };
  readonly #coalescer: Coalescer;
  readonly recordAlone: LoneRecorder = (actor, event) =>
    isCoalesced(event.action) ? this.#coalescer.add(actor, event) : this.#append(actor, event);
  readonly #append: LoneRecorder = (actor, event) => this.#store.commit(() => this.record(actor, event));

  constructor({ store, keyring, now, warn }: AuditParts) {
    this.#store = store;
    this.#keyring = keyring;
    this.#now = now;
    this.#warn = warn;
    this.#sign = createSigner(keyring.derive(AUDIT_KEY));
    this.#coalescer = createCoalescer(
      this.#append,
      (error) => warn(`Repeated events could not be recorded in the audit: ${reasonOf(error)}.`),
    );
  }

  recordLeak({ functionId, functionName, requestId, names, blocked }: LeakyResponse): void {
    const event: AuditEvent = {
      action: blocked ? "response.blocked" : "response.leaked",
      subject: { kind: "function", id: functionId, name: functionName },
      after: { secrets: names, requestId },
    };
    const failed = (error: unknown) =>
      this.#warn(
        `A response of "${functionName}" that contained secrets could not be recorded in the audit: ${
          messageOf(error)
        }`,
      );
    setTimeout(() => void this.recordAlone(SERVER, event).catch(failed), 0);
  }

  start(): Promise<void> {
    const write = () => {
      const head = this.#headToFollow();
      this.#store.meta.put(HEAD, sealHead(head, this.#sign));
      return head;
    };
    return this.#store.commit(write, (head) => this.#compare(head));
  }

  #compare(head: AuditHead): void {
    const [last] = this.#store.audit.following(head.count - 1, head.count, 1);
    if (last?.mac !== head.mac) {
      this.#warn(
        "The audit was tampered with: its head does not match the last entry. Run `deno task cli audit verify`.",
      );
    }
  }

  list(filter: AuditFilter, before: number, limit: number): { entries: AuditRow[]; next: number | undefined } {
    const { rows, next } = pageOf(this.#store.audit.page(filter, before, limit + 1), limit, ({ id }) => id);
    return { entries: rows, next };
  }

  following(after: number, upTo: number, limit: number): AuditRow[] {
    return this.#store.audit.following(after, upTo, limit);
  }

  matching(filter: AuditFilter, after: number, upTo: number, limit: number): AuditRow[] {
    return this.#store.audit.matching(filter, after, upTo, limit);
  }

  head(): string | undefined {
    return this.#store.meta.get(HEAD);
  }

  close(): Promise<void> {
    return this.#coalescer.close();
  }

  #add(actor: Actor, event: AuditEvent, { count, mac }: AuditHead): AuditHead {
    const row = { id: count + 1, at: this.#now(), ...whoColumns(actor), ...eventColumns(event) };
    const added = { count: row.id, mac: macOf(row, mac, this.#sign) };
    this.#store.audit.add({ ...row, mac: added.mac });
    return added;
  }

  #mark(action: "audit.started" | "audit.broken", follows: AuditHead): AuditHead {
    return this.#add(SERVER, { action, subject: { kind: "audit", id: null, name: "" } }, follows);
  }

  /** Returns what the next entry follows, by the stored head alone: entries missing at the end leave a permanent gap. */
  #headToFollow(): AuditHead {
    const stored = this.#store.meta.get(HEAD);
    const lastId = this.#store.audit.lastId();
    const head = stored === undefined ? undefined : openHead(stored, this.#sign);
    if (head && head.count >= lastId) return head;
    if (stored === undefined && lastId === 0) return this.#mark("audit.started", { count: 0, mac: "" });
    this.#warn(
      `The audit was tampered with: its head is missing or altered. It continues with entry ${
        lastId + 1
      }, which records this.`,
    );
    return this.#mark("audit.broken", { count: lastId, mac: BROKEN });
  }
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

/** Returns text that SQLite stores unchanged (it truncates at NUL and cannot hold lone surrogates), as the MAC needs. */
function clean(text: string): string {
  return text.slice(0, NAME_MAX_LENGTH).replaceAll("\0", "\ufffd").toWellFormed();
}

function factsText(facts: AuditEvent["after"]): string | null {
  if (!facts) return null;
  const text = JSON.stringify(facts);
  return text.length <= FACTS_MAX_LENGTH ? text : JSON.stringify({ tooLarge: `${text.length} characters of JSON` });
}
