// Answers handlers' questions for secrets, and reports every value that it discloses. Runs in the host only, where
// values are decrypted at the last moment.

import type { AppError } from "../../errors.ts";
import type { Scope, SecretId } from "../../ids.ts";
import type { SealedUse } from "../../sealed.ts";
import type { GivenValue, SealedValues } from "../../sandbox/host/sealed_values.ts";
import type { Question, SealedAnswer } from "../../sandbox/wire/protocol.ts";
import type { Serving } from "../../serving.ts";
import {
  type CanaryOf,
  type FoundSecret,
  isScope,
  type OpenedSecret,
  type SecretLookup,
  type UnreadableSecret,
} from "./lookup.ts";
import type { Caller } from "../../core/secrets/resolution.ts";

/**
 * `get`: `ctx.getSecret`; `previous`: the same for the value before; `versions`: `ctx.getSecretVersions`; `complete`:
 * `ctx.getCompleteSecret`.
 */
export type QuestionKind = Question[0];

/** A value that is sent to a handler. */
export interface DisclosedSecret {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly name: string;
  readonly value: string;
}

/** Called for each value that is disclosed, and for each that could not be. */
export interface DisclosureObserver<C extends Caller> {
  /** Called for a question. The function returned is called with the scopes of the values that were disclosed. */
  asked(caller: C, kind: QuestionKind, name: string): (scopes: readonly Scope[]) => void;
  /** Reports whether each question of the caller has to be asked, so that none is answered in advance. */
  needsQuestions(caller: C): boolean;
  disclosed(caller: C, secret: DisclosedSecret): void;
  /** Called for a value that is disclosed although it has expired, in milliseconds since 1970 UTC. */
  expired(caller: C, secret: DisclosedSecret, at: number): void;
  /** Called when a value that was marked as a canary is disclosed. */
  canaryRead(caller: C, canary: CanaryOf): void;
  /** Called when the placeholder of a sealed canary has left with a request to `host`. */
  canarySent(caller: C, canary: CanaryOf, host: string, use: SealedUse): void;
  /** Called when answers to this many questions are sent with a call, before it asks. */
  prefetched(caller: C, questions: number): void;
  unreadable(secret: UnreadableSecret): void;
}

/** Answers that are sent with a call. */
export interface Prefetched {
  /** The questions that are answered, in the order of the answers. */
  readonly questions: readonly Question[];
  /** A JSON array of `[kind, name, scope, value]`; the value is null where there is none. */
  readonly json: string;
  /** For how many milliseconds they may be used at most, if that is limited. */
  readonly usableMs?: number;
}

/** What a handler is given: a value, or of a sealed one its placeholder. */
type Given = string | SealedAnswer;

/** `getCompleteSecret`'s result; see docs/writing-functions.md. */
export interface CompleteAnswer {
  global?: Given;
  function?: Given;
  group?: { value: Given; groupId: number; groupName: string };
  key?: { value: Given; groupId: number; groupName: string; keyId: number; keyName: string };
  decryptionErrors?: Partial<Record<Scope, string>>;
}

/** A value that counts now; `until`, in milliseconds since 1970 UTC, is missing for the current one. */
export interface VersionAnswer {
  readonly version: number;
  readonly value: Given;
  readonly current: boolean;
  readonly until?: number;
}

interface Made extends Prefetched {
  /** The answers as JSON, if there are sealed ones, of which each call has a placeholder of its own. */
  readonly parts: readonly (string | SealedPart)[] | undefined;
  readonly secrets: readonly DisclosedSecret[];
  /** Until when the answers stay the same if nothing is changed, in milliseconds since 1970 UTC. */
  readonly until: number;
  /** In memory, roughly. */
  readonly bytes: number;
}

interface SealedPart {
  readonly question: Question;
  readonly value: GivenValue;
}

interface Prepared {
  readonly value: unknown;
  /** In place of `value`, if it is sealed. */
  readonly sealed?: GivenValue;
  readonly secrets: readonly DisclosedSecret[];
  /** As in Made. */
  readonly until: number;
}

/** The limit for answers that are sent with each call; the handler asks for the others. */
const JSON_MAX_LENGTH = 16 * 1024;
/** Callers of one function whose answers are kept ready. */
const CALLERS_MAX = 1_000;
/** The limit for the answers of all functions together; beyond it, all of them are made again. */
const READY_MAX_BYTES = 32 << 20;
/** The size of a question with its answer in addition to its texts. */
const ANSWER_BYTES = 512;

/** A caller that can be given sealed values. */
export interface SealableCaller extends Caller {
  /** Those that it was given. */
  readonly sealed: SealedValues;
  /** Why this node refused to answer one of its questions; undefined if it has refused none. */
  refusedBy?: AppError | undefined;
}

export class SecretBroker<C extends SealableCaller> {
  readonly #lookup: SecretLookup;
  readonly #observer: DisclosureObserver<C>;
  readonly #serving: Serving | undefined;
  /** By the array of questions, then by the caller's key. */
  #ready = new WeakMap<readonly Question[], Map<number, Made>>();
  #readyBytes = 0;
  #readyAt: number;

  /** `serving` is undefined without a cluster. */
  constructor(lookup: SecretLookup, observer: DisclosureObserver<C>, serving?: Serving) {
    this.#lookup = lookup;
    this.#observer = observer;
    this.#serving = serving;
    this.#readyAt = lookup.changes.count;
  }

  /**
   * Returns JSON for the handler; undefined if there is nothing for this caller.
   * @throws AppError CutOff, LogTampered (503) on a node that may have missed changes
   */
  answer(caller: C, kind: QuestionKind, name: string, scope: string | null): unknown {
    const refused = this.#serving?.callRefusal();
    if (refused) {
      caller.refusedBy = refused;
      throw refused;
    }
    const scopes: Scope[] = [];
    const answered = this.#observer.asked(caller, kind, name);
    try {
      if (kind === "complete") return this.#complete(caller, name, scopes);
      if (scope !== null && !isScope(scope)) return undefined;
      if (kind === "versions") return this.#versions(caller, name, scopes);
      const found = this.#lookup[kind === "get" ? "find" : "previous"](caller, name, scope);
      return found && this.#disclose(caller, name, found, scopes);
    } finally {
      answered(scopes);
    }
  }

  /**
   * Returns answers to the questions that the call is expected to ask. Sending an answer discloses it, so the rules for
   * any answer apply. The answers are made once for each array of questions and key, until something is stored.
   * Returns undefined for a caller that has to ask.
   */
  prefetch(caller: C, questions: readonly Question[]): Prefetched | undefined {
    if (this.#observer.needsQuestions(caller)) return undefined;
    const servedMs = this.#serving?.usableMs ?? Infinity;
    if (servedMs === 0) return undefined;
    const { count } = this.#lookup.changes;
    if (this.#readyAt !== count || this.#readyBytes > READY_MAX_BYTES) {
      this.#ready = new WeakMap();
      this.#readyBytes = 0;
      this.#readyAt = count;
    }
    let byKey = this.#ready.get(questions);
    if (!byKey || byKey.size >= CALLERS_MAX) this.#ready.set(questions, byKey = new Map());
    const { holder } = caller;
    if (holder?.until !== undefined && holder.until <= this.#lookup.now()) return undefined;
    const keyId = holder?.keyId ?? 0;
    let made = byKey.get(keyId);
    if (!made || made.until !== Infinity && made.until <= this.#lookup.now()) {
      byKey.set(keyId, made = this.#make(caller, questions));
      this.#readyBytes += made.bytes;
    }
    for (const secret of made.secrets) this.#observer.disclosed(caller, secret);
    this.#observer.prefetched(caller, made.questions.length);
    const until = Math.min(made.until, holder?.until ?? Infinity);
    if (!this.#serving && !made.parts && until === Infinity) return made;
    const json = made.parts ? `[${made.parts.map((part) => this.#partOf(caller, part)).join()}]` : made.json;
    const unchangedMs = until === Infinity ? Infinity : until - this.#lookup.now();
    return { questions: made.questions, json, usableMs: Math.min(servedMs, unchangedMs) };
  }

  /** Returns the value; undefined, reported, if it cannot be read. Adds its scope to `scopes`. */
  #disclose(caller: C, name: string, found: FoundSecret, scopes: Scope[]): Given | undefined {
    if ("problem" in found) {
      this.#observer.unreadable(found);
      return undefined;
    }
    const value = found.value.reveal();
    scopes.push(found.scope);
    for (const used of found.used) this.#observer.disclosed(caller, used);
    const secret = { id: found.id, scope: found.scope, name, value };
    this.#observer.disclosed(caller, secret);
    if (found.expiredAt !== undefined) this.#observer.expired(caller, secret, found.expiredAt);
    for (const canary of found.canaries) this.#observer.canaryRead(caller, canary);
    if (!found.seal) return value;
    // A sealed value has no references, so that it is the canary itself.
    const [canary] = found.canaries;
    const watched = canary && {
      onUse: (host: string, use: SealedUse) => this.#observer.canarySent(caller, canary, host, use),
    };
    const { placeholder, hosts } = caller.sealed.give({ name, value, ...found.seal, ...watched });
    return { sealed: placeholder, hosts };
  }

  /** Returns an answer as JSON, with a placeholder of this call. */
  #partOf(caller: C, part: string | SealedPart): string {
    if (typeof part === "string") return part;
    const { placeholder, hosts } = caller.sealed.give(part.value);
    return JSON.stringify([...part.question, { sealed: placeholder, hosts } satisfies SealedAnswer]);
  }

  #versions(caller: C, name: string, scopes: Scope[]): VersionAnswer[] | undefined {
    const answers: VersionAnswer[] = [];
    for (const { version, until, found } of this.#lookup.versions(caller, name)) {
      const value = this.#disclose(caller, name, found, scopes);
      if (value === undefined) continue;
      answers.push({ version, value, current: until === undefined, ...(until !== undefined && { until }) });
    }
    return answers[0]?.current ? answers : undefined;
  }

  #complete(caller: C, name: string, scopes: Scope[]): CompleteAnswer | undefined {
    const all = this.#lookup.findAll(caller, name);
    if (all.length === 0) return undefined;
    const answer: CompleteAnswer = {};
    const errors: Partial<Record<Scope, string>> = {};
    for (const found of all) {
      const value = this.#disclose(caller, name, found, scopes);
      if ("problem" in found) errors[found.scope] = found.problem;
      else putValue(answer, caller, found.scope, value!);
    }
    if (Object.keys(errors).length > 0) answer.decryptionErrors = errors;
    return answer;
  }

  #make(caller: C, expected: readonly Question[]): Made {
    const questions: Question[] = [];
    const answers: (string | SealedPart)[] = [];
    const secrets: DisclosedSecret[] = [];
    let length = 0;
    let until = Infinity;
    for (const question of expected) {
      const prepared = this.#prepare(caller, question);
      if (!prepared) continue;
      const answer = JSON.stringify([...question, prepared.sealed ?? prepared.value ?? null]);
      if (length + answer.length > JSON_MAX_LENGTH) continue;
      length += answer.length;
      until = Math.min(until, prepared.until);
      questions.push(question);
      answers.push(prepared.sealed ? { question, value: prepared.sealed } : answer);
      secrets.push(...prepared.secrets);
    }
    // The answers are held as JSON and as values, both in UTF-16.
    const bytes = 4 * length + ANSWER_BYTES * (1 + questions.length);
    const hasSealed = answers.some((answer) => typeof answer !== "string");
    return {
      questions,
      json: hasSealed ? "" : `[${answers.join()}]`,
      parts: hasSealed ? answers : undefined,
      secrets,
      bytes,
      until,
    };
  }

  /**
   * Returns the answer to a question that may not be asked; undefined if it must not be answered in advance. A secret
   * that cannot be read is not, so that each question for it is reported; nor is an expired one, or a canary, whose
   * alert says that it was read.
   */
  #prepare(caller: C, [kind, name, scope]: Question): Prepared | undefined {
    if (kind === "complete" || !(scope === null || isScope(scope))) return undefined;
    if (kind === "versions") return this.#prepareVersions(caller, name);
    const found = this.#lookup[kind === "get" ? "find" : "previous"](caller, name, scope);
    if (!found) return { value: undefined, secrets: [], until: Infinity };
    if (!mayPrepare(found)) return undefined;
    const value = found.value.reveal();
    const sealed = found.seal && { name, value, ...found.seal };
    const secrets = [...found.used, { id: found.id, scope: found.scope, name, value }];
    return { value, ...(sealed && { sealed }), secrets, until: found.until };
  }

  #prepareVersions(caller: C, name: string): Prepared | undefined {
    const answers: VersionAnswer[] = [];
    const secrets: DisclosedSecret[] = [];
    let end = Infinity;
    for (const { version, until, found } of this.#lookup.versions(caller, name)) {
      if (!mayPrepare(found) || found.seal) return undefined;
      const value = found.value.reveal();
      answers.push({ version, value, current: until === undefined, ...(until !== undefined && { until }) });
      secrets.push(...found.used, { id: found.id, scope: found.scope, name, value });
      end = Math.min(end, found.until, until ?? Infinity);
    }
    return { value: answers.length === 0 ? undefined : answers, secrets, until: end };
  }
}

function mayPrepare(found: FoundSecret): found is OpenedSecret {
  return !("problem" in found) && found.canaries.length === 0 && found.expiredAt === undefined;
}

function putValue(answer: CompleteAnswer, { holder }: Caller, scope: Scope, value: Given): void {
  if (scope === "global" || scope === "function") {
    answer[scope] = value;
    return;
  }
  // Only a caller with a key is entitled to these.
  const { keyId, keyName, groupId, groupName } = holder!;
  if (scope === "group") answer.group = { value, groupId, groupName };
  else answer.key = { value, groupId, groupName, keyId, keyName };
}
