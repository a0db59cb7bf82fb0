// Records each secret that is disclosed to a handler: counts it, remembers it for masking, and adds it to the trace.

import { ownerId, type Scope, type SecretId } from "../../ids.ts";
import type { DisclosedSecret, DisclosureObserver, QuestionKind } from "./broker.ts";
import type { UnreadableSecret } from "./lookup.ts";
import { isSecretName } from "../../core/secrets/names.ts";
import type { Caller } from "../../core/secrets/resolution.ts";
import type { Log } from "../../telemetry/log.ts";
import type { DisclosedSecrets, Masking } from "../../masking/masking.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Reads } from "../../telemetry/reads.ts";
import { oncePerMinute } from "../../once_per_minute.ts";
import type { CallTrace } from "../../telemetry/traces.ts";

/** A caller with the records of its call. */
export interface ObservedCaller extends Caller {
  /** The values that were disclosed to the call. */
  readonly disclosed: DisclosedSecrets;
  /** Undefined unless calls are traced. */
  readonly trace: CallTrace | undefined;
}

export interface DisclosuresOptions {
  readonly reads: Pick<Reads, "record">;
  readonly masking: Pick<Masking, "recordDisclosure" | "mask">;
  readonly metrics: Pick<Metrics, "secretsRead">;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Disclosures implements DisclosureObserver<ObservedCaller> {
  readonly #options: DisclosuresOptions;
  readonly #isNews: (secret: SecretId | string) => boolean;

  constructor(options: DisclosuresOptions) {
    this.#options = options;
    this.#isNews = oncePerMinute(options.now);
  }

  asked({ functionId, trace }: ObservedCaller, kind: QuestionKind, name: string): (scopes: readonly Scope[]) => void {
    const { metrics, masking } = this.#options;
    const began = performance.now();
    // A handler may pass any text as a name, even a secret's value.
    const traced = trace?.asking(
      kind === "get" ? "getSecret" : "getCompleteSecret",
      isSecretName(name) ? masking.mask(functionId, name) : undefined,
    );
    return (scopes) => {
      traced?.(scopes);
      metrics.secretsRead(functionId, 1, performance.now() - began);
    };
  }

  /** In a traced call, each question has its own span. */
  needsQuestions({ trace }: ObservedCaller): boolean {
    return trace !== undefined;
  }

  disclosed(caller: ObservedCaller, { id, name, value }: DisclosedSecret): void {
    const { reads, masking } = this.#options;
    reads.record(id, caller.functionId, caller.holder?.keyId);
    masking.recordDisclosure(caller.disclosed, name, value);
  }

  prefetched({ functionId }: ObservedCaller, questions: number): void {
    this.#options.metrics.secretsRead(functionId, questions, 0);
  }

  unreadable({ id, name, owner, problem }: UnreadableSecret): void {
    const whose = owner.scope === "global" ? "the global scope" : `${owner.scope} ${ownerId(owner)}`;
    const secret = id ?? `"${name}" of ${whose}`;
    if (this.#isNews(secret)) {
      this.#options.log("error", `Secret ${secret} could not be decrypted for a handler. ${problem}`);
    }
  }
}
