// Answers to what a handler is expected to ask, sent along with its call, so that `getSecret` waits for nobody. What
// is sent is given: it is the caller's by the same rule as an answer, and counts as one.

import { type Scope, SCOPES, type SecretId } from "../ids.ts";
import type { SecretReader } from "./reader.ts";
import type { Caller } from "./resolution.ts";

/** As a handler asks: `scope` as it was given to `getSecret`, null if it was not. */
export type ExpectedQuestion = readonly [kind: "get" | "complete", name: string, scope: string | null];

export interface AnswersAhead {
  /** The questions that are answered, in the order of the answers. */
  readonly questions: readonly ExpectedQuestion[];
  /** A JSON array of `[kind, name, scope, value]`; the value is null where there is none. */
  readonly json: string;
}

/** A value that leaves for a handler. */
export interface GivenValue {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly name: string;
  readonly value: string;
}

interface Made extends AnswersAhead {
  readonly values: readonly GivenValue[];
  /** In memory, roughly. */
  readonly bytes: number;
}

/** More than this is asked for, not sent along with each call. */
const JSON_MAX_LENGTH = 16 * 1024;
/** Callers of one function whose answers are kept ready. */
const CALLERS_MAX = 1_000;
/** What is kept ready for all functions together; with more, all of it is made again. */
const READY_MAX_BYTES = 32 << 20;
/** What a question with its answer takes beside its texts. */
const ANSWER_BYTES = 512;

/**
 * `changes` is another number after anything was stored; until then, the answers to one array of questions are made
 * once for each key. `onGiven` hears of each value, `onAnswered` of the number of questions.
 */
export function createAnswersAhead<C extends Caller>(
  reader: SecretReader,
  changes: () => number,
  onGiven: (caller: C, given: GivenValue) => void,
  onAnswered: (caller: C, questions: number) => void,
): (caller: C, questions: readonly ExpectedQuestion[]) => AnswersAhead {
  let ready = new WeakMap<readonly ExpectedQuestion[], Map<number, Made>>();
  let readyBytes = 0;
  let madeAt = changes();

  const make = (caller: C, expected: readonly ExpectedQuestion[]): Made => {
    const questions: ExpectedQuestion[] = [];
    const answers: string[] = [];
    const values: GivenValue[] = [];
    let length = 0;
    for (const question of expected) {
      const [kind, name, scope] = question;
      if (kind !== "get" || !(scope === null || isScope(scope))) continue;
      const found = reader.look(caller, name, scope ?? undefined);
      // One that cannot be read is asked for, so that each time is reported.
      if (found === "unreadable") continue;
      const value = found?.value.reveal();
      const answer = JSON.stringify([kind, name, scope, value ?? null]);
      if (length + answer.length > JSON_MAX_LENGTH) continue;
      length += answer.length;
      questions.push(question);
      answers.push(answer);
      if (found) values.push({ id: found.id, scope: found.scope, name, value: value! });
    }
    // As JSON and as values, both in UTF-16.
    const bytes = 4 * length + ANSWER_BYTES * (1 + questions.length);
    return { questions, json: `[${answers.join()}]`, values, bytes };
  };

  return (caller, questions) => {
    if (madeAt !== changes() || readyBytes > READY_MAX_BYTES) {
      ready = new WeakMap();
      readyBytes = 0;
      madeAt = changes();
    }
    let byKey = ready.get(questions);
    if (!byKey || byKey.size >= CALLERS_MAX) ready.set(questions, byKey = new Map());
    const keyId = caller.holder?.keyId ?? 0;
    let made = byKey.get(keyId);
    if (!made) {
      byKey.set(keyId, made = make(caller, questions));
      readyBytes += made.bytes;
    }
    for (const given of made.values) onGiven(caller, given);
    onAnswered(caller, made.questions.length);
    return made;
  };
}

function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
