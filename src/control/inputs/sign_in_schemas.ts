// Defines the schemas of e-mail addresses, names and passwords.

import { z } from "zod";
import { isCommonPassword } from "./common_passwords.ts";
import { label, text } from "./fields.ts";

export const PASSWORD_MIN_LENGTH = 12;
/** In characters. Bounds the cost of hashing. */
export const PASSWORD_MAX_LENGTH = 256;
const EMAIL_MAX_LENGTH = 254;
const NAME_MAX_LENGTH = 100;

/** One address, in lower case. Whether it exists is not checked. */
export function email() {
  return text()
    .transform((text) => text.trim().toLowerCase())
    .refine((text) => text !== "", "must not be empty")
    .refine((text) => text.length <= EMAIL_MAX_LENGTH, `must have at most ${EMAIL_MAX_LENGTH} characters`)
    .refine((text) => text === "" || /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(text), "must look like name@example.com");
}

export function personName() {
  return text().transform((name) => name.trim()).pipe(label(NAME_MAX_LENGTH));
}

/** Only the length is required, and that it is none of those that are tried first (NIST SP 800-63B, 3.1.1.2). */
function password() {
  const length = (text: string) => [...text.normalize("NFKC")].length;
  return text()
    .refine((text) => length(text) >= PASSWORD_MIN_LENGTH, `must have ${PASSWORD_MIN_LENGTH} characters or more`)
    .refine((text) => length(text) <= PASSWORD_MAX_LENGTH, `must have at most ${PASSWORD_MAX_LENGTH} characters`)
    .refine((text) => !isCommonPassword(text), "must not be one that others would try first");
}

/** A password and its repetition, for the user with this address. */
export function newPassword(email: string) {
  return z.object({ password: password(), again: z.string() })
    .refine(({ password }) => password.trim().toLowerCase() !== email, {
      path: ["password"],
      message: "must not be the e-mail address",
    })
    .refine(({ password, again }) => password === again, { path: ["again"], message: "is not the same" })
    .transform(({ password }) => password);
}

export const newPerson = z.object({ name: personName(), email: email() });
