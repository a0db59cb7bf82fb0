// Defines which names and values a secret may have.

import { AppError, invalid } from "../../errors.ts";
import type { SecretName } from "../../ids.ts";

export const SECRET_NAME_PATTERN = /^[a-zA-Z0-9_-]+$/;
export const SECRET_NAME_MAX_LENGTH = 255;
/** Of the value in UTF-8. */
export const SECRET_VALUE_MAX_BYTES = 16_384;
/** Of the comment, in UTF-16 units. */
export const COMMENT_MAX_LENGTH = 2_000;

/** Reports whether `text` can be a secret's name; case matters. */
export function isSecretName(text: string): text is SecretName {
  return text.length <= SECRET_NAME_MAX_LENGTH && SECRET_NAME_PATTERN.test(text);
}

/**
 * Rejects a value that could not be stored unchanged.
 * @throws AppError InvalidInput (400) for an empty one or a lone surrogate, OversizedPlaintextError (413)
 */
export function checkSecretValue(value: string): void {
  if (value === "") throw invalid("value", "must not be empty");
  // UTF-8 has no form for half a surrogate pair: it would be stored as U+FFFD.
  if (!value.isWellFormed()) throw invalid("value", "contains half of a surrogate pair, which is not text");
  // A UTF-16 unit takes at most 3 bytes, so short values need no count.
  if (value.length * 3 <= SECRET_VALUE_MAX_BYTES) return;
  const bytes = new TextEncoder().encode(value).length;
  if (bytes > SECRET_VALUE_MAX_BYTES) {
    const problem = `has ${bytes} bytes in UTF-8; at most ${SECRET_VALUE_MAX_BYTES} can be stored`;
    throw new AppError("OversizedPlaintextError", 413, `value ${problem}.`, { value: problem });
  }
}
