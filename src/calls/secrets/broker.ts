// Answers handlers' questions for secrets, and reports every value that it discloses. Runs in the host only, where
// values are decrypted at the last moment.

import type { Scope, SecretId } from "../../ids.ts";
import type { SealedValues } from "../../sandbox/host/sealed_values.ts";
import type { Question, SealedAnswer } from "../../sandbox/wire/protocol.ts";
import type { Serving } from "../../serving.ts";
import { type FoundSecret, isScope, type SecretLookup, type UnreadableSecret } from "./lookup.ts";
import type { Caller } from "../../core/secrets/resolution.ts";

/** `get`: `ctx.getSecret`; `complete`: `ctx.getCompleteSecret`. */
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

interface Made extends Prefetched {
  readonly secrets: readonly DisclosedSecret[];
  /** In memory, roughly. */
  readonly bytes: number;
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
    if (refused) throw refused;
    const scopes: Scope[] = [];
    const answered = this.#observer.asked(caller, kind, name);
    try {
      if (kind === "complete") return this.#complete(caller, name, scopes);
      if (scope !== null && !isScope(scope)) return undefined;
      const found = this.#lookup.find(caller, name, scope);
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
    if (this.#observer.needsQuestions(caller) || this.#serving?.callRefusal()) return undefined;
    const { count } = this.#lookup.changes;
    if (this.#readyAt !== count || this.#readyBytes > READY_MAX_BYTES) {
      this.#ready = new WeakMap();
      this.#readyBytes = 0;
      this.#readyAt = count;
    }
    let byKey = this.#ready.get(questions);
    if (!byKey || byKey.size >= CALLERS_MAX) this.#ready.set(questions, byKey = new Map());
    const keyId = caller.holder?.keyId ?? 0;
    let made = byKey.get(keyId);
    if (!made) {
      byKey.set(keyId, made = this.#make(caller, questions));
      this.#readyBytes += made.bytes;
    }
    for (const secret of made.secrets) this.#observer.disclosed(caller, secret);
    this.#observer.prefetched(caller, made.questions.length);
    return this.#serving ? { ...made, usableMs: this.#serving.usableMs } : made;
  }

  /** Returns the value; undefined, reported, if it cannot be read. Adds its scope to `scopes`. */
  #disclose(caller: C, name: string, found: FoundSecret, scopes: Scope[]): Given | undefined {
    if ("problem" in found) {
      this.#observer.unreadable(found);
      return undefined;
    }
    const value = found.value.reveal();
    scopes.push(found.scope);
    this.#observer.disclosed(caller, { id: found.id, scope: found.scope, name, value });
    if (!found.seal) return value;
    const { placeholder, hosts } = caller.sealed.give({ name, value, ...found.seal });
    return { sealed: placeholder, hosts };
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
    const answers: string[] = [];
    const secrets: DisclosedSecret[] = [];
    let length = 0;
    for (const question of expected) {
      const [kind, name, scope] = question;
      if (kind !== "get" || !(scope === null || isScope(scope))) continue;
      const found = this.#lookup.find(caller, name, scope);
      // A secret that cannot be read is not prefetched, so that each question for it is reported.
      if (found && "problem" in found) continue;
      // Each call has a placeholder of its own.
      if (found?.seal) continue;
      const value = found?.value.reveal();
      const answer = JSON.stringify([kind, name, scope, value ?? null]);
      if (length + answer.length > JSON_MAX_LENGTH) continue;
      length += answer.length;
      questions.push(question);
      answers.push(answer);
      if (found) secrets.push({ id: found.id, scope: found.scope, name, value: value! });
    }
    // The answers are held as JSON and as values, both in UTF-16.
    const bytes = 4 * length + ANSWER_BYTES * (1 + questions.length);
    return { questions, json: `[${answers.join()}]`, secrets, bytes };
  }
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
