// Keeping values that handlers have read out of what they print. Works on text; stores nothing.

import { Buffer } from "node:buffer";

/** Shorter values occur in innocent text too often to be looked for. */
const MASKED_MIN_BYTES = 8;
/** Values remembered for a function, newest first; in bytes of their text. */
const REMEMBERED_MAX_BYTES = 1 << 20;

export interface Masking {
  /** Remembers that a handler of the function was given `value`. */
  handedOut(functionId: number, name: string, value: string): void;
  /** `text` with each value that the function was given, also in its usual encodings, as `[secret NAME]`. */
  mask(functionId: number, text: string): string;
  /** Forgets a function that no longer exists. */
  forget(functionId: number): void;
}

interface Remembered {
  /** Forms to look for, by value. */
  readonly values: Map<string, { name: string; forms: string[] }>;
  bytes: number;
}

export function createMasking(): Masking {
  const functions = new Map<number, Remembered>();

  return {
    handedOut(functionId, name, value) {
      if (value.length < MASKED_MIN_BYTES && Buffer.byteLength(value) < MASKED_MIN_BYTES) return;
      let known = functions.get(functionId);
      if (!known) functions.set(functionId, known = { values: new Map(), bytes: 0 });
      if (known.values.get(value)?.name === name) return;
      if (known.values.delete(value)) known.bytes -= value.length;
      known.values.set(value, { name, forms: formsOf(value) });
      known.bytes += value.length;
      for (const old of known.values.keys()) {
        if (known.bytes <= REMEMBERED_MAX_BYTES) break;
        known.values.delete(old);
        known.bytes -= old.length;
      }
    },

    mask(functionId, text) {
      const known = functions.get(functionId);
      if (!known) return text;
      // Longest first, so that a value that is part of another does not leave the rest of it standing.
      const entries = [...known.values.values()].flatMap(({ name, forms }) => forms.map((form) => ({ name, form })))
        .filter(({ form }) => text.includes(form))
        .sort((a, b) => b.form.length - a.form.length);
      return entries.reduce((masked, { name, form }) => masked.replaceAll(form, () => `[secret ${name}]`), text);
    },

    forget(functionId) {
      functions.delete(functionId);
    },
  };
}

function formsOf(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const base64 = Buffer.from(value).toString("base64");
  return [...new Set([value, json, encodeURIComponent(value), base64, base64.replace(/=+$/, "")])];
}
