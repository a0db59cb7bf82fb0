// Defines the errors of the log of changes, which reach clients, the log of the server and the command line.

import { AppError, messageOf } from "../../errors.ts";
import { storageProblem } from "../../store/storage_error.ts";

/**
 * What became of a change that failed: `none` if nothing was stored, so that it may be tried again; `unknown` if its
 * commit was in doubt and could not be looked up.
 */
export type Outcome = "none" | "unknown";

/** 503: PostgreSQL cannot be reached, or does not answer in time. */
export class StoreUnavailable extends AppError {
  /** `why` is a clause. */
  constructor(readonly why: string, readonly outcome: Outcome = "none") {
    super(
      "StoreUnavailable",
      503,
      outcome === "none"
        ? `PostgreSQL is not available: ${why}. Nothing was changed.`
        : `PostgreSQL became unavailable while the change was stored: ${why}. Whether it was stored is not known.`,
      { outcome },
    );
  }
}

/**
 * 503: what PostgreSQL holds is not what this cluster's nodes wrote. Nothing of it was applied. A node that meets this
 * stops to serve; one that starts exits with code 5.
 */
export class LogTampered extends AppError {
  override readonly facts: { readonly seq: number };

  /**
   * `seq` is the sequence number of the first entry that is wrong; `what` is wrong with it, as the end of a sentence.
   * `subject` is what is wrong instead, if it is not the entry itself.
   */
  constructor(readonly seq: number, what: string, subject = `Entry ${seq} of the log of changes`) {
    super("LogTampered", 503, `${subject} ${what}. Nothing of it was applied.`);
    this.facts = { seq };
  }
}

/** 503: an entry cannot be applied for now, such as on a full disk. Nothing was changed; it is tried again. */
export class EntryPending extends AppError {
  static of(seq: number, error: unknown): AppError {
    if (error instanceof StoreUnavailable) return error;
    if (error instanceof AppError) return new EntryPending(error.code, error.status, error.message, error.details);
    const problem = storageProblem(error);
    const [code, why] = problem === undefined ? ["CutOff", messageOf(error)] : ["StorageFailed", problem];
    return new EntryPending(code, 503, `Entry ${seq} could not be applied: ${why}.`);
  }
}

/** 503: entries that a node lacks were removed. It has to start again, from a snapshot. */
export class LogPruned extends AppError {
  /** `after` is what the node has applied, `first` the oldest entry that is kept. */
  constructor(readonly after: number, readonly first: number) {
    super(
      "LogPruned",
      503,
      `The log of changes begins with entry ${first}; this node lacks entries after ${after}. It starts from a snapshot ` +
        "when it is started again.",
    );
  }
}
