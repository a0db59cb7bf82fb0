// Decides whether this node may answer: only with a lease, and never after something in PostgreSQL was altered.

import { AppError } from "../../errors.ts";
import type { Serving } from "../../serving.ts";
import type { NodeLease } from "./lease.ts";

/** What to do with calls while the node is cut off: the setting `cluster.when-cut-off`. */
export type WhenCutOff = "refuse" | "serve-stale";

export class NodeServing implements Serving {
  readonly #lease: Pick<NodeLease, "isLive" | "remainingMs">;
  readonly #whenCutOff: () => WhenCutOff;
  #stoppedBy: AppError | undefined;
  #heldBackBy: AppError | undefined;

  constructor(lease: Pick<NodeLease, "isLive" | "remainingMs">, whenCutOff: () => WhenCutOff) {
    this.#lease = lease;
    this.#whenCutOff = whenCutOff;
  }

  /** Why the node has stopped serving until its next start; undefined if it has not. */
  get stoppedBy(): AppError | undefined {
    return this.#stoppedBy;
  }

  /** Refuses everything from now on. The first reason is kept. */
  stop(reason: AppError): void {
    this.#stoppedBy ??= reason;
  }

  /** Why the node must not serve for now; undefined if nothing but its lease decides. */
  get heldBackBy(): AppError | undefined {
    return this.#heldBackBy;
  }

  /** Refuses everything, calls included, until this is called without a reason. */
  holdBack(reason: AppError | undefined): void {
    this.#heldBackBy = reason;
  }

  refusal(): AppError | undefined {
    return this.#stoppedBy ?? (this.#heldBackBy && heldBack(this.#heldBackBy)) ??
      (this.#lease.isLive ? undefined : cutOff());
  }

  callRefusal(): AppError | undefined {
    const refusal = this.refusal();
    return refusal?.code === "CutOff" && this.#whenCutOff() === "serve-stale" ? undefined : refusal;
  }

  get usableMs(): number {
    if (this.#stoppedBy || this.#heldBackBy) return 0;
    return this.#whenCutOff() === "serve-stale" ? Infinity : this.#lease.remainingMs;
  }
}

/** Without the reason, which may name files, as anybody can make a request. */
function heldBack({ code, status }: AppError): AppError {
  return new AppError(
    code,
    status,
    "This node does not serve for now: GET /api/cluster and its log say why. Use another node.",
  );
}

/** A new object for each request, as its stack would otherwise be that of the first. */
function cutOff(): AppError {
  return new AppError(
    "CutOff",
    503,
    "This node may have missed changes: it is starting, or its log says why it is cut off. Use another node.",
  );
}
