// Decrypts stored values of secrets, or says why they are withheld.

import { secretAad, secretVersionAad } from "../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../keyring/keyring.ts";
import type { SecretValue } from "../../keyring/secret_value.ts";
import type { SecretVersionRow } from "../../store/secret_versions.ts";
import type { SecretRow, SecretStore } from "../../store/secrets.ts";

/** Why a value is withheld whose row has a wrong MAC. */
export const ALTERED = "The stored secret was altered by something other than this program.";

/** Why a value is withheld whose row is missing without proof that this program deleted it. */
export const MISSING =
  "This secret may be missing because something other than this program deleted it or altered the order of secrets.";

/** Why a value is not shown to anybody. */
export const SEALED = "It is sealed: functions can use it, and no one can read it.";

/** A decrypted value, or why there is none. */
export type OpenedSecret = { value: SecretValue; decryptionError: null } | { value: null; decryptionError: string };

/** Decrypts the value of a row, unless something other than this program altered it. */
export function openSecret(rows: Pick<SecretStore, "isAuthentic">, keyring: Keyring, row: SecretRow): OpenedSecret {
  if (!rows.isAuthentic(row.id)) return { value: null, decryptionError: ALTERED };
  return open(keyring, row.ciphertext, secretAad(row.owner, row.name));
}

/** Decrypts an earlier value. Its row was checked when it was read. */
export function openVersion(keyring: Keyring, { secretId, number, ciphertext }: SecretVersionRow): OpenedSecret {
  return open(keyring, ciphertext, secretVersionAad(secretId, number));
}

function open(keyring: Keyring, ciphertext: string, aad: string): OpenedSecret {
  try {
    return { value: keyring.open(ciphertext, aad), decryptionError: null };
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error;
    return { value: null, decryptionError: error.message };
  }
}
