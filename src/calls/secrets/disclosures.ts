// Records each secret that is disclosed to a handler: counts it, remembers it for masking, and adds it to the trace.

import { ownerId, type Scope, type SecretId } from "../../ids.ts";
import type { DisclosedSecret, DisclosureObserver, QuestionKind } from "./broker.ts";
import type { CanaryOf, UnreadableSecret } from "./lookup.ts";
import type { SecretAlerts } from "../../core/secrets/alerts.ts";
import { isSecretName } from "../../core/secrets/names.ts";
import type { Caller } from "../../core/secrets/resolution.ts";
import type { Log } from "../../telemetry/log.ts";
import type { DisclosedSecrets, Masking } from "../../masking/masking.ts";
import type { Metrics } from "../../telemetry/metrics.ts";
import type { Reads } from "../../telemetry/reads.ts";
import { oncePerMinute } from "../../once_per_minute.ts";
import type { SealedUse } from "../../sealed.ts";
import { DAY_MS } from "../../time.ts";
import type { CallTrace } from "../../telemetry/traces.ts";

const QUESTIONS = {
  get: "getSecret",
  previous: "getSecret",
  versions: "getSecretVersions",
  complete: "getCompleteSecret",
} as const;

/** Expired secrets remembered. */
const EXPIRED_MAX = 1_000;

/** A caller with the records of its call. */
export interface ObservedCaller extends Caller {
  /** The values that were disclosed to the call. */
  readonly disclosed: DisclosedSecrets;
  /** Undefined unless calls are traced. */
  readonly trace: CallTrace | undefined;
  /** Called with the name of each value that is disclosed; undefined unless narrower rights are on trial. */
  readonly onTrial: ((name: string) => void) | undefined;
  /** Called with each question and its answer, without values, in words; undefined unless they are logged. */
  readonly onAsked: ((message: string) => void) | undefined;
}

export interface DisclosuresOptions {
  readonly reads: Pick<Reads, "record">;
  readonly masking: Pick<Masking, "recordDisclosure" | "mask">;
  readonly metrics: Pick<Metrics, "secretsRead">;
  readonly log: Log;
  readonly alerts: Pick<SecretAlerts, "read" | "sentTo">;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Disclosures implements DisclosureObserver<ObservedCaller> {
  readonly #options: DisclosuresOptions;
  readonly #isNews: (secret: SecretId | string) => boolean;
  /** When the use of each expired secret was last logged. */
  readonly #expiredAt = new Map<SecretId, number>();

  constructor(options: DisclosuresOptions) {
    this.#options = options;
    this.#isNews = oncePerMinute(options.now);
  }

  asked(caller: ObservedCaller, kind: QuestionKind, name: string): (scopes: readonly Scope[]) => void {
    const { functionId, trace, onAsked } = caller;
    const { metrics, masking } = this.#options;
    const began = performance.now();
    // A handler may pass any text as a name, even a secret's value.
    const traced = trace?.asking(
      QUESTIONS[kind],
      isSecretName(name) ? masking.mask(functionId, name) : undefined,
    );
    return (scopes) => {
      traced?.(scopes);
      onAsked?.(questionText(kind, name, scopes));
      metrics.secretsRead(functionId, 1, performance.now() - began);
    };
  }

  /** In a traced call, each question has its own span; in a trial and a log, only what was asked for is reported. */
  needsQuestions({ trace, onTrial, onAsked }: ObservedCaller): boolean {
    return trace !== undefined || onTrial !== undefined || onAsked !== undefined;
  }

  disclosed(caller: ObservedCaller, { id, name, value }: DisclosedSecret): void {
    const { reads, masking } = this.#options;
    reads.record(id, caller.functionId, caller.holder?.keyId);
    masking.recordDisclosure(caller.disclosed, name, value);
    caller.onTrial?.(name);
  }

  expired(_: ObservedCaller, { id, name }: DisclosedSecret, at: number): void {
    const now = this.#options.now();
    if (now - (this.#expiredAt.get(id) ?? -Infinity) < DAY_MS) return;
    if (this.#expiredAt.size >= EXPIRED_MAX) this.#expiredAt.clear();
    this.#expiredAt.set(id, now);
    const when = new Date(at).toISOString();
    this.#options.log("warn", `Secret ${id} "${name}" expired at ${when} and is still given to functions.`);
  }

  canaryRead({ functionId, holder, disclosed: call }: ObservedCaller, canary: CanaryOf): void {
    this.#options.alerts.read({ functionId, keyId: holder?.keyId, call }, canary);
  }

  canarySent(
    { functionId, holder, disclosed: call }: ObservedCaller,
    canary: CanaryOf,
    host: string,
    use: SealedUse,
  ): void {
    this.#options.alerts.sentTo({ functionId, keyId: holder?.keyId, call }, canary, host, use);
  }

  prefetched({ functionId }: ObservedCaller, questions: number): void {
    this.#options.metrics.secretsRead(functionId, questions, 0);
  }

  unreadable({ id, name, owner, problem, isWithheld }: UnreadableSecret): void {
    const whose = owner.scope === "global" ? "the global scope" : `${owner.scope} ${ownerId(owner)}`;
    const secret = id ?? `"${name}" of ${whose}`;
    if (this.#isNews(secret)) {
      const what = isWithheld ? "is not given to functions" : "could not be decrypted for a handler";
      this.#options.log("error", `Secret ${secret} ${what}. ${problem}`);
    }
  }
}

/** Returns a question with the scopes of the values that were given. */
function questionText(kind: QuestionKind, name: string, scopes: readonly Scope[]): string {
  const shown = isSecretName(name) ? name : "an invalid name";
  return `${QUESTIONS[kind]}: ${shown} (${scopes.length === 0 ? "no value" : scopes.join(", ")})`;
}
