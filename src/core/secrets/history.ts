// Manages the versions of secrets: lists them, makes an earlier value the current one again, and purges values.

import type { Actor, Recorder } from "../../actor.ts";
import { AppError, conflict, notFound } from "../../errors.ts";
import type { SecretId } from "../../ids.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { SecretVersionRow } from "../../store/secret_versions.ts";
import type { Seal, SecretRow, Setter } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, requireVersion, type Version, versionOf } from "../../versions.ts";
import { openVersion } from "./opened.ts";
import { secretVersion, whereIs } from "./described.ts";
import type { SecretWriter } from "./writer.ts";

/** A value of a secret, without the value. Times in milliseconds since 1970 UTC. */
export interface ListedVersion extends Seal {
  readonly number: number;
  readonly isCurrent: boolean;
  readonly setAt: number;
  /** Null if it is not known. */
  readonly setBy: Setter | null;
  /** When it was replaced; null for the current one. */
  readonly until: number | null;
  /** Until when it counts next to its successor; null if it does not. */
  readonly previousUntil: number | null;
}

export interface SecretHistory {
  /** Returns the values of a secret that are kept, newest first. @throws AppError NotFound (404) */
  versions(id: SecretId): ListedVersion[];

  /** Returns the version of the secret together with what `versions` returns. @throws AppError NotFound (404) */
  version(id: SecretId): Version;

  /**
   * Makes an earlier value the current one, with its seal and hosts, as a new version, and returns its number. If it
   * equals the current value, there is no new version. A sealed value ends `expand`. `expected` is compared with the
   * version of the secret and with that of its versions.
   * @throws AppError NotFound (404), PreconditionFailed (412), DecryptionFailed (409)
   */
  restore(actor: Actor, id: SecretId, number: number, expected?: ExpectedVersions): number;

  /**
   * Deletes an earlier value permanently. `expected` as in `restore`.
   * @throws AppError NotFound (404), PreconditionFailed (412), Conflict (409) for the current one
   */
  purge(actor: Actor, id: SecretId, number: number, expected?: ExpectedVersions): void;
}

export interface SecretHistoryOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly writer: SecretWriter;
  readonly now: () => number;
  readonly record: Recorder;
}

export function createSecretHistory({ store, keyring, writer, now, record }: SecretHistoryOptions): SecretHistory {
  const find = (id: SecretId): SecretRow => {
    const row = store.secrets.find(id);
    if (!row) throw notFound("secret", id);
    return row;
  };
  const listed = (row: SecretRow): ListedVersion[] => {
    const { id, version: number, sealed, hosts, places, setAt, setBy } = row;
    const current = { number, isCurrent: true, sealed, hosts, places, setAt, setBy, until: null, previousUntil: null };
    const at = now();
    const earlier = store.secretVersions.list(id).map(({ ciphertext: _, secretId: __, ...version }) => {
      const { previousUntil } = version;
      const counts = previousUntil !== null && previousUntil > at;
      return { ...version, previousUntil: counts ? previousUntil : null, isCurrent: false };
    });
    return [current, ...earlier];
  };
  const version = (row: SecretRow): Version => versionOf([secretVersion(row), listed(row)]);
  const get = (id: SecretId, expected: ExpectedVersions): SecretRow => {
    const row = find(id);
    if (typeof expected === "object" && expected.includes(version(row))) return row;
    requireVersion(expected, secretVersion(row), `the secret "${row.name}" ${whereIs(row.owner)}`);
    return row;
  };
  const findVersion = ({ id }: SecretRow, number: number): SecretVersionRow => {
    const found = store.secretVersions.find(id, number);
    if (!found) throw noVersion(id, number);
    return found;
  };

  return {
    versions: (id) => listed(find(id)),
    version: (id) => version(find(id)),

    restore: (actor, id, number, expected) =>
      store.change(actor, () => {
        const row = get(id, expected);
        if (number === row.version) return number;
        const version = findVersion(row, number);
        const { sealed, hosts, places } = version;
        const { value, decryptionError } = openVersion(keyring, version);
        if (!value) {
          const problem = `Version ${number} of secret ${id} cannot be restored, because it cannot be read.`;
          throw new AppError("DecryptionFailed", 409, `${problem} ${decryptionError}`);
        }
        const isNew = writer.update(actor, row, {
          value: value.reveal(),
          seal: { sealed, hosts, places },
          // A sealed value has no references; an expanded one would refuse every later change.
          ...(sealed && { expand: false }),
        });
        const restored = isNew ? row.version + 1 : row.version;
        record(actor, {
          action: "secret.restored",
          subject: { kind: "secret", id, name: row.name },
          before: { version: row.version, ...(sealed && row.expand && { expand: true }) },
          after: { version: restored, from: number, ...(sealed && row.expand && { expand: false }) },
        });
        return restored;
      }),

    purge: (actor, id, number, expected) =>
      store.change(actor, () => {
        const row = get(id, expected);
        if (number === row.version) {
          throw conflict(
            `Version ${number} is the current value of the secret "${row.name}". Set another value, or delete the secret.`,
          );
        }
        // Also one that was altered, which `find` does not return.
        if (!store.secretVersions.delete(id, number)) throw noVersion(id, number);
        record(actor, {
          action: "secret.purged",
          subject: { kind: "secret", id, name: row.name },
          before: { version: number },
        });
      }),
  };
}

function noVersion(id: SecretId, number: number): AppError {
  return notFound(`version ${number} of secret`, id);
}
