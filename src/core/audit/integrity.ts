// Detects writes to the database by anything other than this program: compares all rows with the authenticated head in
// the background, reports findings, and records the database's generation, which reveals a restored older copy.

import { type LoneRecorder, SERVER } from "../../actor.ts";
import { reasonOf } from "../../errors.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { HeadError } from "../../store/rows_head.ts";
import { describeFinding, type Finding } from "../../store/authenticated_tables.ts";
import type { Store } from "../../store/store.ts";
import { openVerification } from "../../store/verification.ts";
import { HOUR_MS, MINUTE_MS } from "../../time.ts";

/** How often it is checked whether another process has written to the database. */
const CHECK_INTERVAL_MS = 5_000;
/** How old the record of the generation may be. */
const RECORD_INTERVAL_MS = MINUTE_MS;
/** From the end of one comparison of all rows to the next, unless another process writes to the database. */
const VERIFY_INTERVAL_MS = HOUR_MS;
/** Rows are compared for this long at a time; then requests are served. */
const SLICE_MS = 3;
const PAUSE_MS = 10;
const BUSY_PAUSE_MS = 50;
/** Findings kept for the pages; the log and the audit have all of them. */
const KEPT_MAX = 100;

export interface IntegrityParts {
  /** Path of the database. */
  readonly path: string;
  readonly keyring: Keyring;
  readonly log: (level: "info" | "error", message: string) => void;
}

export class Integrity {
  readonly #parts: IntegrityParts;
  readonly #findings: string[] = [];
  /** Findings from before there was an audit to record them. */
  readonly #unrecorded: Finding[] = [];
  #record: LoneRecorder | undefined;
  #store: Store | undefined;
  #busy = (): boolean => false;
  #verifying: Promise<void> | undefined;
  #verifiedAt = 0;
  #recordedAt = performance.now();
  #stopping = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(parts: IntegrityParts) {
    this.#parts = parts;
  }

  /** Descriptions of what was found since the start, at most a hundred. */
  get findings(): readonly string[] {
    return this.#findings;
  }

  /** Logs a finding and records it in the audit. May be called within a transaction that is then rolled back. */
  found(finding: Finding): void {
    const text = describeFinding(finding);
    if (this.#findings.length < KEPT_MAX) this.#findings.push(text);
    this.#parts.log("error", `Something other than this program changed the database: ${text}.`);
    this.#unrecorded.push(finding);
    if (this.#record) setTimeout(() => void this.#audit(), 0);
  }

  /** Records all findings in the audit from now on, starting with earlier ones. */
  recordWith(record: LoneRecorder): Promise<void> {
    this.#record = record;
    return this.#audit();
  }

  /** Starts checking `store`; `busy` reports whether a request is waiting for the server. */
  start(store: Store, busy: () => boolean): void {
    this.#store = store;
    this.#busy = busy;
    this.#timer = setInterval(() => this.#check(), CHECK_INTERVAL_MS);
    Deno.unrefTimer(this.#timer);
    this.#verifyLater();
  }

  /** Stops checking and records the last generation. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#verifying;
    await this.#audit();
    this.#recordGeneration();
  }

  #check(): void {
    const now = performance.now();
    if (now - this.#recordedAt >= RECORD_INTERVAL_MS) {
      this.#recordedAt = now;
      this.#recordGeneration();
    }
    const isDue = now - this.#verifiedAt >= VERIFY_INTERVAL_MS;
    if (this.#store!.wasWrittenByOthers() || isDue) this.#verifyLater();
  }

  #recordGeneration(): void {
    try {
      this.#store?.recordGeneration();
    } catch (error) {
      this.#parts.log("error", `The database's generation could not be recorded: ${reasonOf(error)}.`);
    }
  }

  async #audit(): Promise<void> {
    const record = this.#record;
    if (!record) return;
    for (const { table, id = null, problem } of this.#unrecorded.splice(0)) {
      try {
        await record(SERVER, {
          action: "database.altered",
          subject: { kind: "row", id, name: table },
          // A row's id is kept only if it is a number.
          after: { ...(id !== null && !/^\d+$/.test(id) && { row: id }), problem },
        });
      } catch (error) {
        this.#parts.log("error", `An altered row could not be recorded in the audit: ${reasonOf(error)}.`);
      }
    }
  }

  #verifyLater(): void {
    this.#verifying ??= this.#verify()
      .catch((error) => this.#parts.log("error", `The database could not be verified: ${reasonOf(error)}.`))
      .finally(() => {
        this.#verifying = undefined;
        this.#verifiedAt = performance.now();
      });
  }

  async #verify(): Promise<void> {
    const { path, keyring } = this.#parts;
    const store = this.#store!;
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    await pause(0);
    if (this.#stopping) return;
    try {
      using verification = openVerification(path, keyring);
      const { epoch, generation } = store.head();
      const { head } = verification;
      if (head.epoch !== epoch || head.generation < generation) {
        store.report({ table: "meta", id: "rows-head", problem: "is of an earlier state of the database" });
      }
      const steps = verification.run();
      for (let began = performance.now();;) {
        const { done, value } = steps.next();
        if (done) return value.forEach((finding) => store.report(finding));
        if (performance.now() - began < SLICE_MS) continue;
        await pause(this.#busy() ? BUSY_PAUSE_MS : PAUSE_MS);
        if (this.#stopping) return;
        began = performance.now();
      }
    } catch (error) {
      if (!(error instanceof HeadError)) throw error;
      store.report({ table: "meta", id: "rows-head", problem: "was removed or altered" });
    }
  }
}
